"""Single images: determinism, disease, devices, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from myosono.cohort.simulation import DEVICES, simulate_image
from myosono.cohort.simulation.disease import INVOLVEMENT, Lesion, lesion_of, muscle_severity
from myosono.cohort.simulation.image import generator, render, site_of, true_borders
from myosono.cohort.simulation.patients import draw_patient
from myosono.errors import UsageError


def muscle_grey(label: str, muscle: str, seed: int) -> float:
    """Mean grey of the upper half of the muscle examined, at one examiner's gain."""
    patient = draw_patient(1, label, "sim-cart-A", rng=generator(seed, 0))
    patient = replace(patient, severity=0.9 if label != "Normal" else 0.0, gain_db=0.0, echo_db=0.0)
    site = site_of(patient, "R", muscle, seed=seed)
    picture = render(patient, "R", muscle, 1, seed=seed, scale=0.5)
    pixel = 38.3 / picture.shape[1]
    top = site.skin_mm + site.fat_mm + site.superficial_mm + 1.5
    return float(picture[int(top / pixel) : int((top + 0.5 * site.thickness_mm) / pixel)].mean())


def test_full_size_images_have_the_size_of_the_real_crops() -> None:
    widths = {simulate_image("Normal", muscle, seed=seed).shape for seed, muscle in enumerate("DRG")}
    assert {rows for rows, _ in widths} == {498}
    assert {columns for _, columns in widths} <= {320, 447, 477}


def test_the_same_seed_gives_the_same_image_and_another_shot_does_not() -> None:
    first = simulate_image("PM", "R", seed=5, scale=0.4)
    np.testing.assert_array_equal(first, simulate_image("PM", "R", seed=5, scale=0.4))
    other = simulate_image("PM", "R", seed=5, shot=2, scale=0.4)
    assert other.shape == first.shape
    assert np.mean(first != other) > 0.5


def test_shots_of_a_site_resemble_each_other_more_than_other_patients() -> None:
    def coarse(seed: int, shot: int) -> np.ndarray:
        picture = simulate_image("Normal", "D", seed=seed, shot=shot, scale=0.3).astype(float)
        bands = np.array_split(picture, 24, axis=0)
        profile = np.array([band.mean() for band in bands])
        return profile - profile.mean()

    same = [np.corrcoef(coarse(seed, 1), coarse(seed, 2))[0, 1] for seed in range(12)]
    different = [np.corrcoef(coarse(seed, 1), coarse(seed + 1, 2))[0, 1] for seed in range(12)]
    assert np.median(same) > np.median(different) + 0.1


@pytest.mark.parametrize("muscle", ["FDP", "G"])
def test_inclusion_body_myositis_is_brighter_than_health_on_one_device(muscle: str) -> None:
    bright = np.mean([muscle_grey("IBM", muscle, seed) for seed in range(10)])
    dark = np.mean([muscle_grey("Normal", muscle, seed) for seed in range(10)])
    assert bright > dark + 5


def test_lesions_follow_the_published_patterns() -> None:
    ibm, pm, dm = (lesion_of(label, 1.0) for label in ("IBM", "PM", "DM"))
    assert replace(lesion_of("IBM", 0.0), patch_mm=Lesion().patch_mm) == Lesion()
    assert ibm.echo_db > pm.echo_db > dm.echo_db
    assert ibm.thickness < pm.thickness < dm.thickness
    assert ibm.attenuation_db_mm > pm.attenuation_db_mm > dm.attenuation_db_mm == 0
    assert dm.fascia > 2
    assert max(INVOLVEMENT["IBM"], key=INVOLVEMENT["IBM"].__getitem__) == "FDP"


def test_some_muscles_are_spared_and_severity_stays_in_range() -> None:
    rng = np.random.default_rng(0)
    drawn = [muscle_severity("IBM", "D", 0.8, rng) for _ in range(200)]
    assert min(drawn) == 0.0
    assert max(drawn) <= 1.0
    assert muscle_severity("Normal", "D", 0.8, rng) == 0.0


def test_devices_differ_on_the_same_body() -> None:
    pictures = [simulate_image("Normal", "B", seed=2, device=name, scale=0.4) for name in DEVICES]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 3
    assert np.abs(pictures[1].astype(int) - pictures[2]).mean() > 3


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("ALS", "D"), {}),
        (("IBM", "X"), {}),
        (("IBM", "D", "both"), {}),
        (("IBM", "D"), {"device": "other"}),
        (("IBM", "D"), {"scale": 3.0}),
        (("IBM", "D"), {"severity": 1.5}),
        (("IBM", "D"), {"severity": float("nan")}),
        (("IBM", "D"), {"seed": -1}),
        (("IBM", "D"), {"shot": 0}),
    ],
)
def test_impossible_requests_are_usage_errors(arguments: tuple[str, ...], options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        simulate_image(*arguments, **options)  # type: ignore[arg-type]


def test_the_true_borders_are_those_of_the_picture() -> None:
    """The bright fascia lies just above the superficial border, darker muscle below it."""
    for seed in range(4):
        patient = draw_patient(1, "Normal", "sim-premium-C", rng=generator(seed, 0))
        picture = render(patient, "L", "B", 1, seed=seed, scale=0.5).astype(float)
        top, bottom = true_borders(patient, "L", "B", 1, seed=seed, scale=0.5)
        assert top.shape == (picture.shape[1],)
        assert (bottom - top > 10).all()
        columns = np.arange(picture.shape[1])
        fascia = picture[np.rint(top).astype(int) - 2, columns].mean()
        assert fascia > picture[np.rint((2 * top + bottom) / 3).astype(int), columns].mean()
        again = true_borders(patient, "L", "B", 1, seed=seed, scale=0.5)
        np.testing.assert_array_equal(again, [top, bottom])
