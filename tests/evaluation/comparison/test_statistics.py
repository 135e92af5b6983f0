"""The statistics against their definitions, and a comparison against `evaluate`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from myosono.evaluation import check_predictions, evaluate
from myosono.evaluation.comparison import (
    Condition,
    Contender,
    bootstrap_p_value,
    compare,
    delong_test,
    holm,
    make_entry,
)
from myosono.evaluation.result import METRICS

SET = Condition("cohort", "label", "patient")


def by_definition(positive: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Difference and standard error from every pair of units (DeLong et al. 1988, eqs. 4 to 6)."""
    parts = []
    for scores in (first, second):
        yes, no = scores[positive][:, None], scores[~positive][None, :]
        kernel = (yes > no) + 0.5 * (yes == no)
        parts.append((kernel.mean(axis=1), kernel.mean(axis=0)))
    (a10, a01), (b10, b01) = parts
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    contrast = np.array([-1.0, 1.0])
    return float(b10.mean() - a10.mean()), float(contrast @ (s10 / len(a10) + s01 / len(a01)) @ contrast)


scores = arrays(np.float64, 14, elements=st.integers(0, 6).map(float))  # few values: many ties


@given(scores, scores)
@settings(deadline=None)
def test_fast_delong_is_delong(first, second):
    positive = np.arange(14) < 6
    difference, variance = by_definition(positive, first, second)
    found = delong_test(positive, [first], [second])
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.standard_error**2 == pytest.approx(variance, abs=1e-12)


@given(scores, scores)
@settings(deadline=None)
def test_swapping_models_turns_delongs_sign_and_keeps_p(first, second):
    positive = np.arange(14) % 2 == 0
    one, other = delong_test(positive, [first], [second]), delong_test(positive, [second], [first])
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == pytest.approx(other.p)
    if one.standard_error:
        assert (one.lo, one.hi) == pytest.approx((-other.hi, -other.lo))
    else:  # without spread an interval of no width would be certainty
        assert (one.lo, one.hi, other.lo, other.hi) == (None,) * 4
    same = delong_test(positive, [first], [first])
    assert (same.difference, same.p) == (0.0, 1.0)


def test_delong_of_a_known_example():
    positive = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    perfect, one_wrong = np.array([6.0, 5, 4, 3, 2, 1]), np.array([6.0, 5, 2, 3, 4, 1])
    found = delong_test(positive, [one_wrong], [perfect])
    # One positive is below two of three negatives: AUC 7/9. Placements lack (0, 0, 2/3) and (1/3, 1/3, 0).
    assert found.difference == pytest.approx(2 / 9)
    variance = np.var([0, 0, 2 / 3], ddof=1) / 3 + np.var([1 / 3, 1 / 3, 0], ddof=1) / 3
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    assert found.p == pytest.approx(2 * norm.sf(2 / 9 / np.sqrt(variance)))
    with pytest.raises(ValueError, match="two units"):
        delong_test(np.array([1, 0, 0], dtype=bool), [np.arange(3.0)], [np.arange(3.0)])


def test_seeds_count_as_one_model_and_not_as_more_patients():
    rng = np.random.default_rng(0)
    positive = np.arange(30) < 12
    a, b = rng.normal(size=30) + positive, rng.normal(size=30)
    assert delong_test(positive, [a, a], [b, b]) == delong_test(positive, [a], [b])


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1)))
def test_p_value_is_a_probability_and_sees_no_sign(samples):
    p = bootstrap_p_value(samples)
    assert p is not None
    assert 0 < p <= 1
    assert bootstrap_p_value(-samples) == p
    assert bootstrap_p_value(np.r_[samples, np.nan]) == p
    assert bootstrap_p_value(np.full(3, np.nan)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_holm_does_not_care_in_which_order_models_are_named(raw, random):
    order = list(range(len(raw)))
    random.shuffle(order)
    np.testing.assert_array_equal(holm([raw[place] for place in order]), holm(raw)[order])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([*raw, 1.5])


def entry(table: pd.DataFrame, contender: Contender, seed: int = 0, condition: Condition = SET):
    return make_entry(contender, condition, seed, check_predictions(table), of_folds=4)


def test_a_comparison_scores_as_evaluate_does(study):
    one = compare([entry(study, Contender("stanet_s"))], resamples=0).scores[0]
    evaluated = evaluate(study, resamples=0)
    for level in ("image", "patient"):
        for metric in METRICS:
            assert one.metrics[level][metric] == getattr(evaluated.levels[level], metric)
    assert one.complete


def test_seeds_are_averaged_and_only_common_ones_are_paired(make):
    tables = [make(20, seed=seed) for seed in range(3)]
    ours, theirs = Contender("stanet_s"), Contender("peer")
    found = compare([entry(tables[0], ours, 0), entry(tables[1], ours, 1), entry(tables[2], theirs, 1)], resamples=20)
    alone = [compare([entry(table, ours)], resamples=0).scores[0] for table in tables]
    values = [one.metrics["image"]["auc"].value for one in alone]
    assert found.scores[0].metrics["image"]["auc"].value == pytest.approx(np.mean(values[:2]))
    paired = found.differences([SET], "image", "auc")[0]
    assert paired.seeds == (1,)
    assert (paired.patients, paired.images, paired.cells) == (20, tables[2]["image_id"].nunique(), 4)
    assert paired.difference.value == pytest.approx(values[2] - values[1])


def test_a_flagship_by_name_is_its_first_recipe_from_scratch(study):
    contenders = [
        Contender("stanet_s", True, "a"),
        Contender("stanet_s", False, "b"),
        Contender("stanet_s", False, "a"),
    ]
    found = compare([entry(study, one) for one in contenders], resamples=0)
    assert found.flagship == contenders[1]
    assert [one.contender for one in found.differences([SET], "image", "auc")] == [contenders[0], contenders[2]]


def test_cohorts_are_drawn_independently(make):
    """Two cohorts of the same size, even the same tables, are not resampled alike: pooling narrows the interval."""
    ours, theirs = Contender("stanet_s"), Contender("peer")
    second = replace(SET, cohort="second")
    tables = {ours: make(24, seed=1), theirs: make(24, seed=2)}
    entries = [entry(table, one, condition=where) for where in (SET, second) for one, table in tables.items()]
    found = compare(entries, pools=[(SET, second)], resamples=400)
    width = {
        pool: one.difference.hi - one.difference.lo
        for pool in ((SET,), (SET, second))
        for one in found.differences(pool, "image", "accuracy")
    }
    assert width[SET, second] / width[(SET,)] == pytest.approx(np.sqrt(0.5), rel=0.2)
