"""Orders of pixels, deletion and insertion, against networks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.faithfulness import (
    blurred,
    centre_prior,
    deletion_curve,
    insertion_curve,
    random_map,
    removal_ranks,
    upsampled,
)

SIDE = 24
SQUARE = (slice(4, 10), slice(14, 20))
"""All that the network below looks at."""


def of_square(images):
    """Class 1 is the mean grey of the square, as a share of 255."""
    bright = images[:, *SQUARE].mean(axis=(1, 2)) / 255
    return np.stack([1 - bright, bright], axis=1)


def true_map():
    relevance = np.zeros((SIDE, SIDE))
    relevance[SQUARE] = 1
    return relevance


@pytest.fixture
def image():
    return np.full((SIDE, SIDE), 255, dtype=np.float32)


@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 5))
def test_ranks_are_a_permutation_that_follows_relevance(seed, levels):
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, levels, (9, 7)).astype(float)
    ranks = removal_ranks(relevance, rng)
    assert sorted(ranks.ravel().tolist()) == list(range(63))
    assert (np.diff(relevance.ravel()[np.argsort(ranks.ravel())]) <= 0).all()


def test_equal_pixels_go_neither_from_the_top_nor_one_by_one():
    ranks = removal_ranks(np.zeros((64, 64)), np.random.default_rng(0))
    first = ranks < ranks.size // 2
    assert 0.25 < first[:32].mean() < 0.75
    neighbours_agree = (first[:, 1:] == first[:, :-1]).mean()
    assert neighbours_agree > 0.85, "ties are broken in patches"


def test_a_map_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        removal_ranks(np.array([[1.0, np.nan]]), np.random.default_rng(0))


def test_deletion_of_the_true_map_falls_as_it_must(image):
    ranks = removal_ranks(true_map(), np.random.default_rng(0))
    curve = deletion_curve(of_square, image, ranks, 1, fill=0, steps=16)  # 36 pixels are a step of 1/16
    np.testing.assert_allclose(curve.shares, np.linspace(0, 1, 17))
    np.testing.assert_allclose(curve.probabilities, [1] + [0] * 16, atol=1e-6)
    assert curve.area == pytest.approx(1 / 32)


def test_the_true_map_beats_random_maps_and_its_own_reverse(image):
    rng = np.random.default_rng(1)

    def areas(relevance):
        ranks = removal_ranks(relevance, rng)
        black = np.zeros_like(image)
        return (
            deletion_curve(of_square, image, ranks, 1, fill=0).area,
            insertion_curve(of_square, image, ranks, 1, start=black).area,
        )

    deletion, insertion = areas(true_map())
    for other in [random_map((4, 4), image.shape, rng) for _ in range(5)] + [-true_map(), centre_prior(image.shape)]:
        found = areas(other)
        assert deletion < found[0]
        assert insertion > found[1]


def test_insertion_into_the_image_itself_changes_nothing(image):
    ranks = removal_ranks(true_map(), np.random.default_rng(0))
    assert insertion_curve(of_square, image, ranks, 1, start=image).area == pytest.approx(1)


def test_blurring_keeps_the_mean_and_takes_the_detail():
    rng = np.random.default_rng(0)
    image = (100 + 40 * rng.standard_normal((224, 224))).astype(np.float32)
    soft = blurred(image)
    assert soft.mean() == pytest.approx(image.mean(), abs=1)
    assert soft.std() < 5


def test_upsampling_keeps_the_order_of_cells_and_a_map_of_full_size():
    coarse = np.array([[0.0, 1.0], [2.0, 3.0]])
    fine = upsampled(coarse, (20, 20))
    corners = fine[[2, 2, -3, -3], [2, -3, 2, -3]]
    assert (np.diff(corners) > 0).all()
    np.testing.assert_array_equal(upsampled(fine, (20, 20)), fine)


def test_the_centre_prior_peaks_in_the_middle():
    prior = centre_prior((21, 41))
    assert np.unravel_index(prior.argmax(), prior.shape) == (10, 20)
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
