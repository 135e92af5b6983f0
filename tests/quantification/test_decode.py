"""Borders from tissue probabilities: known answers, and the laws that hold for any probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myosono.quantification.decode import MAX_STEP, borders_to_mask, continuous_path, decode_borders


def probabilities(first: np.ndarray, last: np.ndarray, rows: int, certainty: float = 0.9) -> np.ndarray:
    row = np.arange(rows)[:, None]
    tissue = (row >= first).astype(int) + (row >= last)
    return np.where(np.arange(3)[:, None, None] == tissue, certainty, (1 - certainty) / 2)


def test_straight_borders_are_found_exactly() -> None:
    borders, support = decode_borders(probabilities(np.full(20, 8), np.full(20, 24), 40))
    np.testing.assert_allclose(borders, [[0.2] * 20, [0.6] * 20])
    assert support == pytest.approx(0.9)


def test_the_exact_maximum_over_all_pairs_of_borders() -> None:
    rng = np.random.default_rng(0)
    rows = 12
    column = rng.dirichlet(np.ones(3), rows).T
    logs = np.log(column)
    scores = {
        (a, b): logs[0, :a].sum() + logs[1, a:b].sum() + logs[2, b:].sum()
        for a in range(rows + 1)
        for b in range(a, rows + 1)
    }
    best = max(scores, key=scores.__getitem__)
    borders, _ = decode_borders(column[:, :, None].repeat(9, axis=2))
    assert tuple(np.rint(borders[:, 0] * rows).astype(int)) == best


def test_a_stray_column_moves_the_border_no_further_than_it_may_step() -> None:
    first = np.full(30, 10)
    first[15] = 35
    borders, _ = decode_borders(probabilities(first, np.full(30, 38), 40, certainty=0.6))
    assert np.delete(borders[0] * 40, [14, 15, 16]) == pytest.approx(10)
    assert borders[0, 15] * 40 <= 10 + MAX_STEP


def test_a_sloping_border_is_followed() -> None:
    first = np.arange(30) * 2 + 5
    borders, _ = decode_borders(probabilities(first, first + 20, 100))
    np.testing.assert_allclose(borders * 100, [first, first + 20])


def test_the_path_is_the_best_of_all_continuous_ones() -> None:
    score = np.random.default_rng(3).normal(size=(8, 4))
    paths = [
        path
        for path in itertools.product(range(8), repeat=4)
        if all(abs(a - b) <= MAX_STEP for a, b in itertools.pairwise(path))
    ]
    best = max(paths, key=lambda path: sum(score[row, column] for column, row in enumerate(path)))
    assert tuple(continuous_path(score)) == best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(2, 40), columns=st.integers(1, 30))
def test_borders_are_ordered_and_one_run_of_muscle_a_column(seed: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(seed).dirichlet(np.ones(3), (rows, columns)).transpose(2, 0, 1)
    borders, support = decode_borders(values)
    assert borders.shape == (2, columns)
    assert (borders[0] <= borders[1]).all()
    assert (np.abs(np.diff(borders * rows)) <= MAX_STEP + 1e-9).all()
    assert (borders >= 0).all()
    assert (borders <= 1).all()
    assert 0 <= support <= 1
    mask = borders_to_mask(borders, 3 * rows, 2 * columns)
    changes = np.diff(np.pad(mask.astype(int), ((1, 1), (0, 0))), axis=0)
    assert ((changes == 1).sum(axis=0) <= 1).all()


def test_a_mask_has_the_thickness_of_its_borders() -> None:
    borders = np.array([[0.2] * 8, [0.7] * 8])
    mask = borders_to_mask(borders, 100, 30)
    np.testing.assert_array_equal(mask.sum(axis=0), 50)
    assert mask[20:70].all()
