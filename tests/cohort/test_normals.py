"""A reference from a simulated cohort, and its command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.cohort.normals import _site, fit_cohort_reference, measure_sites
from myosono.errors import CohortError
from myosono.quantification import Quantifier, Reference, Region, mask_names, write_mask


@pytest.fixture(scope="module")
def normals(tmp_path_factory):
    """12 simulated normals and 2 of each disease, one image each, all on one device by relabelling."""
    from myosono.cohort import write_cohort
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig(patients={"Normal": 12, "IBM": 2}, images_per_patient=1, scale=0.25, seed=5, workers=1)
    folder = tmp_path_factory.mktemp("normals") / "cohort"
    cohort = simulate_cohort(config, folder, progress=False)
    table = cohort.table.assign(muscle="D", side="R", device="cart")
    return write_cohort(folder, table, cohort.info)


def test_normals_are_measured_by_patient_and_site(normals) -> None:
    sites, given = measure_sites(normals, quantifier=Quantifier(threads=1), quiet=True)
    table = normals.table.set_index("patient_id")
    assert {site.patient_id for site in sites} <= set(table.index[table["label"] == "Normal"])
    assert len(sites) >= 10
    assert given == 0
    for site in sites:
        assert 0 < site.echo_intensity < 255
        assert (site.age, site.sex) == (table.loc[site.patient_id, "age"], table.loc[site.patient_id, "sex"])


def test_z_scores_of_the_normals_themselves_are_centred(normals) -> None:
    quantifier = Quantifier(threads=1)
    reference = fit_cohort_reference(normals, minimum=8, quantifier=quantifier, quiet=True)
    assert reference.simulated
    sites, _ = measure_sites(normals, quantifier=quantifier, quiet=True)
    scores = [
        reference.z_score(s.echo_intensity, muscle="D", side=s.side, age=s.age, sex=s.sex, device=s.device)
        for s in sites
    ]
    assert np.mean([score.z for score in scores]) == pytest.approx(0, abs=1e-6)
    assert 0.5 < np.std([score.z for score in scores]) <= 1.01
    assert all("simulated" in score.warnings[0] for score in scores)
    other = reference.z_score(60, muscle="D", side="R", age=50, sex="F", device="another cart")
    assert other.z is None


def test_too_few_normals_and_unknown_labels_are_refused(normals) -> None:
    with pytest.raises(CohortError, match="no muscle has 20 normals"):
        fit_cohort_reference(normals, quantifier=Quantifier(threads=1), quiet=True)
    with pytest.raises(CohortError, match="labelled 'Healthy'"):
        measure_sites(normals, label="Healthy", quiet=True)


def test_edited_masks_are_used(normals, tmp_path) -> None:
    names = mask_names([(file, 0) for file in normals.table["file"]])
    for file, name in zip(normals.table["file"], names, strict=True):
        with Image.open(normals.folder / file) as image:
            mask = np.zeros((image.height, image.width), bool)
        mask[40:60] = True
        write_mask(Region.given(mask), tmp_path / name)
    reference = fit_cohort_reference(normals, minimum=8, quantifier=Quantifier(masks=tmp_path), quiet=True)
    assert reference.region.startswith("12 regions given as masks")


def test_the_command(normals, tmp_path) -> None:
    out = tmp_path / "reference.json"
    arguments = ["reference", str(normals.folder), "--out", str(out), "--minimum", "8"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "not clinical evidence" in shown.stdout
    assert Reference.open(out).models[0].device == "cart"
    machine = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(machine.stdout)["models"] == json.loads(out.read_text())["models"]


def test_the_frames_of_a_clip_are_one_shot_of_a_normal() -> None:
    levels = [90.0] * 6 + [60.0, 60.0]
    group = pd.DataFrame({"image_id": list("abcdefgh"), "clip": ["loop"] * 6 + ["", ""], "echo_intensity": levels})
    site = _site(("P1", "D", "L", "cart"), group)
    assert site.echo_intensity == pytest.approx(70)
    assert _site(("P1", "D", "L", "cart"), group.drop(columns="clip")).echo_intensity == pytest.approx(82.5)
