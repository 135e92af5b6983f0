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
from myosono.errors import CohortError, UsageError
from myosono.quantification import Quantifier, Reference, Region, mask_names, write_mask


@pytest.fixture(scope="module")
def normals(tmp_path_factory):
    """12 simulated normals and 2 of each disease, one image each, all on one device by relabelling."""
    from myosono.cohort import write_cohort
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig(patients={"Normal": 12, "IBM": 2}, images_per_patient=1, scale=1.0, seed=5, workers=1)
    folder = tmp_path_factory.mktemp("normals") / "cohort"
    cohort = simulate_cohort(config, folder, progress=False)
    table = cohort.table.assign(muscle="D", side="R", device="cart")
    return write_cohort(folder, table, cohort.info)


def test_normals_are_measured_by_patient_and_site(normals) -> None:
    found = measure_sites(normals, quantifier=Quantifier(threads=1), quiet=True)
    sites = found.sites
    table = normals.table.set_index("patient_id")
    assert {site.patient_id for site in sites} <= set(table.index[table["label"] == "Normal"])
    assert len(sites) >= 10
    assert found.given == 0
    assert len(sites) + len(found.left_out) == 12
    for site in sites:
        assert 0 < site.echo_intensity < 255
        assert (site.age, site.sex) == (table.loc[site.patient_id, "age"], table.loc[site.patient_id, "sex"])


def test_z_scores_of_the_normals_themselves_are_centred(normals) -> None:
    quantifier = Quantifier(threads=1)
    reference = fit_cohort_reference(normals, minimum=8, quantifier=quantifier, quiet=True)
    assert reference.simulated
    sites = measure_sites(normals, quantifier=quantifier, quiet=True).sites
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
    assert "images not measured" not in shown.stdout
    machine = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(machine.stdout)["models"] == json.loads(out.read_text())["models"]


def test_the_frames_of_a_clip_are_one_shot_of_a_normal() -> None:
    levels = [90.0] * 6 + [60.0, 60.0]
    group = pd.DataFrame({"image_id": list("abcdefgh"), "clip": ["loop"] * 6 + ["", ""], "echo_intensity": levels})
    site = _site(("P1", "D", "L", "cart"), group)
    assert site.echo_intensity == pytest.approx(70)
    assert _site(("P1", "D", "L", "cart"), group.drop(columns="clip")).echo_intensity == pytest.approx(82.5)


def _normal_files(cohort) -> list[str]:
    return list(cohort.table.loc[cohort.table["label"] == "Normal", "file"])


def test_normals_whose_mask_cannot_be_used_are_listed_and_unused_masks_named(normals, tmp_path) -> None:
    """They had been left out without a word."""
    first, second, *_ = _normal_files(normals)
    masks = tmp_path / "masks"
    masks.mkdir()
    names = mask_names([(file, 0) for file in (first, second)])
    Image.new("L", (200, 200), 255).save(masks / names[0])
    (masks / names[1]).write_bytes(b"no picture")
    (masks / "nobody_region.png").write_bytes(b"")
    out = tmp_path / "reference.json"
    arguments = ["reference", str(normals.folder), "--out", str(out), "--minimum", "8", "--masks", str(masks)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "images not measured: 2" in shown.stdout
    assert f"{first}: {names[0]}: a mask of 200 x 200 pixels" in shown.stdout
    assert "nobody_region.png" in shown.stdout
    data = json.loads(out.read_text())
    assert [item["file"] for item in data["images_left_out"]] == [first, second]
    assert "cannot be decoded" in data["images_left_out"][1]["reason"]
    assert any("nobody_region.png" in note for note in data["notes"])
    assert str(tmp_path) not in json.dumps([data["images_left_out"][0], data["notes"]])
    again = Reference.open(out)
    assert (list(again.images_left_out), list(again.notes)) == (data["images_left_out"], data["notes"])


def test_masks_of_patients_are_not_called_unused(normals, tmp_path) -> None:
    patient = normals.table.loc[normals.table["label"] == "IBM", "file"].iloc[0]
    (tmp_path / mask_names([(patient, 0)])[0]).write_bytes(b"")
    reference = fit_cohort_reference(normals, minimum=8, quantifier=Quantifier(masks=tmp_path, threads=1), quiet=True)
    assert reference.notes == ()


def test_the_command_does_not_measure_what_the_reader_refuses(normals, tmp_path) -> None:
    import shutil

    from myosono.cohort import Cohort

    shutil.copytree(normals.folder, tmp_path / "cohort")
    blank, photograph, *_ = _normal_files(normals)
    with Image.open(tmp_path / "cohort" / blank) as image:
        size = image.size
    Image.new("L", size, 90).save(tmp_path / "cohort" / blank)
    Image.fromarray(np.tile(np.linspace(0, 255, size[0], dtype=np.uint8), (size[1], 1))).save(
        tmp_path / "cohort" / photograph
    )
    out = tmp_path / "reference.json"
    shown = CliRunner().invoke(app, ["reference", str(tmp_path / "cohort"), "--out", str(out), "--minimum", "8"])
    assert shown.exit_code == 0, shown.output
    lost = {item["file"]: item["reason"] for item in Reference.open(out).images_left_out}
    assert "blank" in lost[blank]
    assert "not muscle" in lost[photograph]
    assert f"{blank}: blank image" in shown.stdout
    free = measure_sites(Cohort.open(tmp_path / "cohort"), quantifier=Quantifier(threads=1), quiet=True)
    assert photograph not in dict(free.left_out), "without a reader all are measured that can be"


def test_too_few_normals_say_which_images_were_lost(normals) -> None:
    with pytest.raises(CohortError, match=r"at most 0\); 12 images were not measured, images/.*: no good"):
        fit_cohort_reference(
            normals, minimum=8, quantifier=Quantifier(threads=1), refusal=lambda image: "no good", quiet=True
        )


def test_what_cannot_succeed_is_refused_before_the_work(normals, tmp_path, monkeypatch) -> None:
    def work(*_, **__):
        raise AssertionError("measured")

    monkeypatch.setattr("myosono.cohort.normals.measure_sites", work)
    (tmp_path / "file").touch()
    for out, minimum, told in (
        (tmp_path / "file" / "r.json", "8", "cannot be written"),
        (tmp_path / "r", "2", "least 3"),
    ):
        found = CliRunner().invoke(app, ["reference", str(normals.folder), "--out", str(out), "--minimum", minimum])
        assert isinstance(found.exception, UsageError), found.exception
        assert told in str(found.exception)
