"""Engineered features against known answers and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from myosono.training.engineered import FEATURES, image_features
from myosono.training.engineered.run_length import run_length_features, run_length_matrix

LEVELS = 4
IMAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)).map(
    lambda image: image % LEVELS
)


def named(image: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, image_features(image), strict=True))


def test_galloways_own_example():
    # Galloway 1975, figure 1: a 4x4 image of 4 levels and its run lengths at 0 degrees.
    image = np.array([[0, 1, 2, 3], [0, 2, 3, 3], [2, 1, 1, 1], [3, 0, 3, 0]], dtype=np.uint8)
    expected = [[4, 0, 0, 0], [1, 0, 1, 0], [3, 0, 0, 0], [3, 1, 0, 0]]
    assert run_length_matrix(image, LEVELS).tolist() == expected


def plain_runs(line: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in line:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs


@given(IMAGES)
def test_runs_are_those_of_a_plain_loop(image):
    expected = np.zeros((LEVELS, image.shape[1]), dtype=int)
    for line in image.tolist():
        for value, length in plain_runs(line):
            expected[value, length - 1] += 1
    assert run_length_matrix(image, LEVELS).tolist() == expected.tolist()


@given(IMAGES)
def test_run_statistics_ignore_mirror_images_and_stay_in_range(image):
    found = run_length_features(image, LEVELS)
    for turned in (image[:, ::-1], image[::-1], image.T):
        np.testing.assert_allclose(run_length_features(turned, LEVELS), found)
    short, long, _, _, percentage = found
    assert 0 < short <= 1 <= long
    assert 0 < percentage <= 1


@given(st.integers(0, 255))
@settings(max_examples=10, deadline=None)
def test_a_constant_image_has_finite_features(level):
    found = named(np.full((32, 32), level, np.uint8))
    assert np.isfinite(list(found.values())).all()
    assert found["mean"] == level
    assert found["sd"] == found["entropy"] == found["cooccurrence_contrast_1"] == 0


def test_features_tell_what_they_are_named_for():
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (64, 64)).astype(np.uint8)
    smooth = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)
    rough, even = named(noise), named(smooth)
    assert rough["entropy"] == pytest.approx(8, abs=0.1)
    assert rough["cooccurrence_contrast_1"] > 20 * even["cooccurrence_contrast_1"]
    assert rough["cooccurrence_correlation_1"] == pytest.approx(0, abs=0.05)
    assert even["cooccurrence_correlation_1"] > 0.98
    assert even["run_length_long_run"] > 5 * rough["run_length_long_run"]
    assert even["percentile_50"] == pytest.approx(127, abs=2)
    assert sum(rough[name] for name in FEATURES if name.startswith("pattern_8_")) == pytest.approx(1)


def test_skewness_is_that_of_the_grey_levels():
    dark_with_bright_septa = np.zeros((32, 32), np.uint8)
    dark_with_bright_septa[::8] = 200
    assert named(dark_with_bright_septa)["skewness"] > 1
    assert named(255 - dark_with_bright_septa)["skewness"] < -1
