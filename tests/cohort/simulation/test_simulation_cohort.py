"""Whole cohorts: structure, determinism, and nothing but pixels to tell the class."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.cohort.simulation.patients import draw_patients
from myosono.cohort.simulation.png import write_png
from myosono.cohort.simulation.structure import SITES, draw_structure
from myosono.cohort.store import Cohort
from myosono.errors import CohortError, RecipeError

TINY = {"patients": {"Normal": 2, "IBM": 1, "DM": 1}, "images_per_patient": 4, "scale": 0.2, "seed": 11}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate_cohort(SimulationConfig(**TINY, workers=1), tmp_path_factory.mktemp("tiny") / "c", progress=False)


def test_the_default_structure_is_that_of_the_public_set() -> None:
    config = SimulationConfig()
    shots = draw_structure(config)
    per_patient = Counter(shot.patient for shot in shots)
    assert len(shots) == 3214
    assert len({shot.image_id for shot in shots}) == 3214
    assert len(per_patient) == 80
    assert (min(per_patient.values()), max(per_patient.values())) == (27, 43)
    per_site = Counter((shot.patient, shot.side, shot.muscle) for shot in shots)
    assert set(per_site.values()) <= {1, 2, 3, 4}
    assert Counter(per_site.values()).most_common(1)[0][0] == 3
    assert Counter(patient.label for patient in draw_patients(config)) == config.patients


def test_neither_number_nor_device_nor_count_tells_the_class() -> None:
    config = SimulationConfig(seed=1)
    patients = draw_patients(config)
    labels = [patient.label for patient in patients]
    assert labels != sorted(labels)
    assert max(np.diff(np.flatnonzero(np.array(labels) == "IBM"))) < 30
    for label, count in config.patients.items():
        on_cart = sum(patient.device == "sim-cart-A" for patient in patients if patient.label == label)
        assert abs(on_cart / count - 0.6) < 0.2


def test_demography_follows_the_public_set() -> None:
    patients = draw_patients(SimulationConfig(patients={"Normal": 400, "IBM": 400}))
    ages = {label: np.mean([p.age for p in patients if p.label == label]) for label in ("Normal", "IBM")}
    assert ages["Normal"] == pytest.approx(51, abs=3)
    assert ages["IBM"] == pytest.approx(64, abs=3)
    assert all(np.isnan(p.cpk) == (p.label == "Normal") for p in patients)


def test_a_cohort_opens_again_and_says_that_it_is_simulated(tiny: Cohort) -> None:
    again = Cohort.open(tiny.folder)
    assert again.info.simulated
    assert again.info.licence == "Apache-2.0"
    assert json.loads((tiny.folder / "cohort.json").read_text())["name"] == "simulated"
    assert len(again.table) == 16
    assert again.table.patient_id.nunique() == 4
    for row in again.table.itertuples():
        assert again.image(row.image_id).shape == (row.height, row.width)
        assert row.file == f"images/{row.image_id}.png"


@pytest.mark.slow
def test_the_number_of_workers_does_not_change_a_byte(tiny: Cohort, tmp_path: Path) -> None:
    other = simulate_cohort(SimulationConfig(**TINY, workers=2), tmp_path / "two", progress=False)
    assert list(other.table.sha256) == list(tiny.table.sha256)
    assert (other.folder / "cohort.parquet").read_bytes() == (tiny.folder / "cohort.parquet").read_bytes()


def test_another_seed_gives_other_images(tiny: Cohort, tmp_path: Path) -> None:
    config = SimulationConfig(**{**TINY, "seed": 12, "images_per_patient": 1}, workers=1)
    other = simulate_cohort(config, tmp_path / "other", progress=False)
    assert not set(other.table.sha256) & set(tiny.table.sha256)


def test_files_of_one_size_have_one_length(tiny: Cohort, tmp_path: Path) -> None:
    lengths = tiny.table.assign(bytes=[(tiny.folder / file).stat().st_size for file in tiny.table.file])
    assert (lengths.groupby("width").bytes.nunique() == 1).all()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, high, (100, 90), dtype=np.uint8) for high in (1, 8, 256)]
    data = [write_png(tmp_path / f"{number}.png", picture) for number, picture in enumerate(pictures)]
    assert len(data[0]) == len(data[1])
    for picture, written in zip(pictures, data, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(written))), picture)


def test_a_cohort_in_the_way_is_kept_unless_asked(tiny: Cohort) -> None:
    with pytest.raises(CohortError, match="already"):
        simulate_cohort(SimulationConfig(**TINY), tiny.folder, progress=False)


def test_images_that_another_run_wrote_are_no_part_of_a_cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that outlived a killed run had overwritten images of the next one, which ended well."""
    from myosono.cohort.simulation import cohort as made

    render_all = made._render_all

    def with_an_orphan(config, folder, *, progress):  # type: ignore[no-untyped-def]
        rows = list(render_all(config, folder, progress=progress))
        (folder / rows[0]["file"]).write_bytes(b"of the killed run")
        return rows

    monkeypatch.setattr(made, "_render_all", with_an_orphan)
    config = SimulationConfig(patients={"PM": 1}, images_per_patient=1, scale=0.2, workers=1)
    with pytest.raises(CohortError, match="is not what was written"):
        simulate_cohort(config, tmp_path / "c", progress=False)
    assert not (tmp_path / "c").exists()


def test_a_foreign_folder_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CohortError):
        simulate_cohort(SimulationConfig(**TINY), tmp_path, progress=False, overwrite=True)


def test_overwriting_replaces_a_cohort(tmp_path: Path) -> None:
    config = SimulationConfig(patients={"PM": 1}, images_per_patient=2, scale=0.2, workers=1)
    simulate_cohort(config, tmp_path / "c", progress=False)
    again = simulate_cohort(config.model_copy(update={"seed": 3}), tmp_path / "c", progress=False, overwrite=True)
    assert len(list((again.folder / "images").iterdir())) == 2


@pytest.mark.parametrize("images", [1, 2, 14, 24, 42, 43, 56])
def test_any_number_of_images_is_met_exactly(images: int) -> None:
    shots = draw_structure(SimulationConfig(patients={"IBM": 3}, images_per_patient=images))
    assert Counter(shot.patient for shot in shots) == {1: images, 2: images, 3: images}
    assert {(shot.side, shot.muscle) for shot in shots} <= set(SITES)


def test_small_shares_out_the_patients() -> None:
    assert SimulationConfig.small(32).patients == {"Normal": 8, "IBM": 8, "PM": 8, "DM": 8}
    assert SimulationConfig.small(2).patients == {"Normal": 1, "IBM": 1}


@pytest.mark.parametrize(
    "values",
    [
        {"patient": {"IBM": 1}},
        {"patients": {"ALS": 1}},
        {"patients": {"IBM": -1}},
        {"patients": {"IBM": 0}},
        {"patients": {}},
        {"scale": 2.0},
        {"images_per_patient": 0},
        {"workers": 0},
        {"seed": "one"},
    ],
)
def test_bad_configurations_are_recipe_errors(values: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="simulation: "):
        SimulationConfig(**values)
    with pytest.raises(RecipeError):
        SimulationConfig.model_validate(values)
