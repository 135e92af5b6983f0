"""Probabilities that another tool rounded: what is taken for rounding, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.errors import PredictionsError
from myosono.evaluation import check_predictions, evaluate, read_predictions
from myosono.evaluation.table_probabilities import SUM_TOLERANCE, rounding_tolerance


def table(probabilities: np.ndarray) -> pd.DataFrame:
    classes = [f"c{place}" for place in range(probabilities.shape[1])]
    patients = [f"P{row}" for row in range(len(probabilities))]
    shares = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    return pd.DataFrame({"patient_id": patients, "target": classes[0]}).join(shares)


@given(
    weights=st.lists(
        st.lists(st.floats(0.01, 1), min_size=4, max_size=4) | st.just([1.0, 1.0, 1.0, 0.001]), min_size=1, max_size=5
    ),
    decimals=st.integers(1, 8),
    single=st.booleans(),
)
def test_whatever_was_rounded_is_read_and_sums_to_1(weights: list[list[float]], decimals: int, single: bool):
    exact = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    rounded = exact.round(decimals).astype(np.float32 if single else np.float64)
    found = check_predictions(table(rounded))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-12)
    assert np.abs(found.probabilities - exact).max() <= 4 * 10.0**-decimals + 1e-6
    assert bool(found.notes) == bool((np.abs(rounded.astype(np.float64).sum(axis=1) - 1) > SUM_TOLERANCE).any())


@given(st.integers(0, 20), st.integers(2, 40))
def test_the_tolerance_is_never_less_than_it_was_nor_so_much_that_nothing_is_left(decimals: int, classes: int):
    assert SUM_TOLERANCE <= rounding_tolerance(decimals, classes) <= 0.5


def test_rounding_is_noted_from_csv_and_said_by_the_evaluation(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("patient_id,target,p_A,p_B,p_C\nx,A,0.33,0.33,0.33\ny,B,0.20,0.70,0.10\n")
    found = read_predictions(path)
    assert found.probabilities[0] == pytest.approx([1 / 3] * 3)
    assert "rounded to 2 decimals: 1 of 2 rows sum to between 0.99 and 1" in found.notes[0]
    assert found.notes[0] in evaluate(found, resamples=0).warnings


def test_a_valid_table_is_as_it_was_and_has_no_notes():
    exact = np.array([[0.123456, 0.876544], [0.5004, 0.5]])
    found = check_predictions(table(exact))
    assert found.notes == ()
    np.testing.assert_array_equal(found.probabilities, exact / exact.sum(axis=1)[:, None])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0.90, 0.30, 0.11], "sum to 1.31 in row 1.*softmax, not logits"),
        ([0.3333333, 0.33, 0.33], "sum to 0.9933 in row 1"),  # seven decimals: that was no rounding
        ([1.0, 1.0, 0.0], "sum to 2 in row 1"),  # decisions for two classes
        ([0.0, 0.0, 0.0], "sum to 0 in row 1"),
        ([84.5, 10.5, 5.0], "These are percentages: divide them by 100"),
        ([84, 10, 5], "These are percentages: divide them by 100"),
        (["84%", "10%", "6%"], "These are percentages: divide them by 100"),
        (["0.5%", "0.25", "0.25"], "These are percentages: divide them by 100"),
        ([2.3, -1.1, 0.4], "column p_c0 holds 2.3 in row 1, which is no probability"),
    ],
)
def test_what_is_no_rounding_is_refused_by_what_it_is(row: list[object], said: str):
    frame = table(np.zeros((1, 3)))
    frame[["p_c0", "p_c1", "p_c2"]] = pd.DataFrame([row])
    with pytest.raises(PredictionsError, match=said):
        check_predictions(frame)
