"""Laws of the degradations: neutral means untouched, same seed same image, and each does what it says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from myosono.errors import UsageError
from myosono.robustness import DEGRADATIONS, choose_degradations
from myosono.robustness.degradations.texture import SPECKLE_SD_DB, speckle_decibels

images = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)))
every = pytest.mark.parametrize("way", DEGRADATIONS.values(), ids=list(DEGRADATIONS))


@every
def test_strengths_ascend_and_hold_the_neutral_one(way):
    assert list(way.strengths) == sorted(set(way.strengths))
    assert way.neutral in way.strengths
    assert way.meaning.endswith(".")


@every
@given(image=images, data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_image_stays_an_image(way, image, data):
    strength = data.draw(st.floats(way.strengths[0], way.strengths[-1]))
    before = image.copy()
    found = way.apply(image, strength, key="a", seed=3)
    assert found.dtype == np.uint8
    assert found.ndim == 2
    assert 0 not in found.shape
    assert np.array_equal(image, before), "the given image was changed in place"
    assert np.array_equal(found, way.apply(image, strength, key="a", seed=3))
    assert np.array_equal(way.apply(image, way.neutral), image)


@every
def test_each_step_away_from_neutral_moves_further(way, make_speckle):
    image = make_speckle(1, 200, 160)
    place = way.strengths.index(way.neutral)

    def distance(strength):
        other = way.apply(image, strength, key="a")
        if other.shape != image.shape:
            return abs(np.log(other.size / image.size))
        return float(np.abs(other.astype(float) - image).mean())

    for side in (way.strengths[place:], way.strengths[place::-1]):
        steps = [distance(strength) for strength in side]
        assert all(later > earlier for earlier, later in pairwise(steps)), steps


@given(image=images, low=st.floats(-18, 18), high=st.floats(-18, 18))
@settings(max_examples=50, deadline=None)
def test_more_gain_is_never_darker(image, low, high):
    gain = DEGRADATIONS["gain"]
    low, high = sorted((low, high))
    assert (gain.apply(image, low) <= gain.apply(image, high)).all()


def test_gain_in_decibels_and_what_was_black():
    image = np.array([[0, 100, 250]], np.uint8)
    found = DEGRADATIONS["gain"].apply(image, 6.5)
    assert found.tolist() == [[0, 126, 255]]  # 6.5 dB of an assumed 65 dB is a tenth of 255


def test_time_gain_tilts_about_the_middle():
    image = np.full((101, 4), 120, np.uint8)
    rows = DEGRADATIONS["tgc"].apply(image, 20).mean(axis=1)
    assert rows[50] == 120
    assert rows[-1] - rows[0] == pytest.approx(20 / 65 * 255, abs=1)


def test_dynamic_range_keeps_the_mean_and_scales_the_contrast(make_speckle):
    image = np.clip(make_speckle(2), 60, 160)
    wide = DEGRADATIONS["dynamic_range"].apply(image, 100).astype(float)
    assert wide.mean() == pytest.approx(image.mean(), abs=0.5)
    assert wide.std() == pytest.approx(image.std() * 0.65, rel=0.02)


def test_geometry():
    image = np.arange(200, dtype=np.uint8).reshape(20, 10)
    shallow, deep = (DEGRADATIONS["depth"].apply(image, factor) for factor in (0.5, 2.0))
    assert np.array_equal(shallow, image[:10])
    assert np.array_equal(deep[:20], image)
    assert not deep[20:].any()
    assert np.array_equal(DEGRADATIONS["crop"].apply(image, 10), image[2:18, 1:9])
    assert DEGRADATIONS["resolution"].apply(image, 2).shape == (10, 5)


def test_speckle_is_fully_developed_and_differs_between_images(make_speckle):
    field = speckle_decibels((300, 300), np.random.default_rng(0))
    assert field.std() == pytest.approx(SPECKLE_SD_DB, rel=0.05)
    assert abs(field.mean()) < 0.2
    image, speckle = make_speckle(4), DEGRADATIONS["speckle"]
    first = speckle.apply(image, 3, key="a", seed=0)
    assert not np.array_equal(first, speckle.apply(image, 3, key="b", seed=0))
    assert not np.array_equal(first, speckle.apply(image, 3, key="a", seed=1))


def test_refusals():
    with pytest.raises(UsageError, match=r"unknown degradation 'fog'.*gain"):
        choose_degradations(["fog"])
    with pytest.raises(ValueError, match="gain goes from -18 to 18 dB, not to 40"):
        DEGRADATIONS["gain"].apply(np.zeros((2, 2), np.uint8), 40)
    with pytest.raises(ValueError, match="uint8"):
        DEGRADATIONS["gain"].apply(np.zeros((2, 2)), 6)  # type: ignore[arg-type]
    assert [way.name for way in choose_degradations(["jpeg", "gain"])] == ["gain", "jpeg"]
