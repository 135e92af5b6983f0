"""Paired comparison of models: known answers, and laws that no implementation may break."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from myosono.errors import PredictionsError
from myosono.evaluation.comparison import Condition, Contender, compare, delong_test, holm, make_entry
from myosono.evaluation.table import check_predictions

SET = Condition("cohort", "label", "patient")
FLAGSHIP = Contender("ours")


def predictions(skill: float, seed: int, patients: int = 30, images: int = 4, folds: int = 2) -> pd.DataFrame:
    """Two classes; ``skill`` separates them; images of a patient share an effect. A validation row for each."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        target, effect = patient % 2, rng.normal()
        for image in range(images):
            p = 1 / (1 + np.exp(-(skill * (2 * target - 1) + effect + 0.5 * rng.normal())))
            for role, fold in (("test", patient // 2 % folds), ("validation", (patient // 2 + 1) % folds)):
                row = {"image_id": f"{patient}-{image}", "patient_id": f"P{patient}", "fold": fold, "role": role}
                rows.append({**row, "target": "ab"[target], "p_a": 1 - p, "p_b": p})
    return pd.DataFrame(rows)


def entry(contender: Contender, skill: float, seed: int = 0, *, table: pd.DataFrame | None = None, of: Condition = SET):
    given_table = predictions(skill, seed) if table is None else table
    return make_entry(contender, of, 0, check_predictions(given_table), of_folds=2)


def test_identical_predictions_differ_by_nothing_with_p_1():
    table = predictions(1.0, 0)
    found = compare([entry(FLAGSHIP, 0, table=table), entry(Contender("copy"), 0, table=table)], flagship=FLAGSHIP)
    for one in found.paired:
        assert one.difference.value == pytest.approx(0)
        assert (one.p, one.p_holm) == (1.0, 1.0)


def test_a_better_model_is_better_with_certainty_and_a_swap_turns_the_sign():
    good, bad = Contender("good"), Contender("bad")
    entries = [entry(good, 3.0), entry(bad, 0.0)]
    one = compare(entries, flagship=good).differences([SET], "image", "auc")[0]
    other = compare(entries, flagship=bad).differences([SET], "image", "auc")[0]
    assert one.difference.hi is not None
    assert one.difference.hi < 0
    assert one.p is not None
    assert one.p < 0.01
    assert other.difference.value == pytest.approx(-one.difference.value)


def test_the_order_of_rows_decides_nothing_and_the_seed_everything():
    table, other = predictions(1.0, 0), predictions(0.5, 1)
    shuffled = table.sample(frac=1, random_state=3)
    a = compare([entry(FLAGSHIP, 0, table=table), entry(Contender("b"), 0, table=other)], flagship=FLAGSHIP)
    b = compare([entry(FLAGSHIP, 0, table=shuffled), entry(Contender("b"), 0, table=other)], flagship=FLAGSHIP)
    assert a.to_rows()[0] == pytest.approx(b.to_rows()[0])
    assert (
        a.to_dict()
        == compare(
            [entry(FLAGSHIP, 0, table=table), entry(Contender("b"), 0, table=other)], flagship=FLAGSHIP
        ).to_dict()
    )


def test_only_folds_that_both_have_are_paired():
    table = predictions(1.0, 0)
    half = table[table["fold"] == 0]
    found = compare([entry(FLAGSHIP, 0, table=table), entry(Contender("half"), 0, table=half)], flagship=FLAGSHIP)
    one = found.differences([SET], "image", "auc")[0]
    assert one.patients == half.loc[half["role"] == "test", "patient_id"].nunique()
    assert one.difference.value == pytest.approx(0, abs=0.02)


def test_pools_average_the_differences_of_their_sets():
    second = Condition("second", "label", "patient")
    other = Contender("other")
    entries = [
        entry(FLAGSHIP, 2.0), entry(other, 0.5, 1),
        entry(FLAGSHIP, 2.0, 2, of=second), entry(other, 1.5, 3, of=second),
    ]  # fmt: skip
    found = compare(entries, flagship=FLAGSHIP, pools=[(SET, second)])
    single = [found.differences([one], "image", "auc")[0].difference.value for one in (SET, second)]
    pooled = found.differences([SET, second], "image", "auc")[0].difference.value
    assert pooled == pytest.approx(np.mean(single))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(PredictionsError):
        compare([entry(Contender("other"), 1.0)], flagship=FLAGSHIP)
    with pytest.raises(PredictionsError):
        compare([entry(FLAGSHIP, 1.0), entry(FLAGSHIP, 1.0)], flagship=FLAGSHIP)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_never_below_the_raw_value_and_keeps_its_order(raw):
    corrected = holm(raw)
    assert (corrected >= np.array(raw) - 1e-12).all()
    assert (corrected <= 1).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(corrected[order]) >= -1e-12).all()


def test_holm_of_a_known_family():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


@pytest.mark.parametrize("seed", range(3))
def test_delong_agrees_with_the_bootstrap_on_independent_units(seed):
    rng = np.random.default_rng(seed)
    positive = rng.random(150) < 0.4
    first = positive + rng.normal(size=150)
    second = 0.5 * positive + 0.5 * first + rng.normal(size=150)
    found = delong_test(positive, [first], [second])

    def difference(rows):
        return roc_auc_score(positive[rows], second[rows]) - roc_auc_score(positive[rows], first[rows])

    drawn = [difference(rng.integers(0, 150, 150)) for _ in range(300)]
    assert found.difference == pytest.approx(difference(np.arange(150)))
    assert found.standard_error == pytest.approx(np.std(drawn), rel=0.2)


@pytest.mark.parametrize("patients", [2, 3, 5])
def test_few_patients_who_agree_are_no_proof(patients):
    """All draws of three patients agree: p was 0.001 by the bootstrap and 0 by DeLong's test."""
    target = np.arange(patients) % 2
    rows = {"image_id": [str(n) for n in range(patients)], "patient_id": [f"P{n}" for n in range(patients)]}
    right = np.where(target == 1, 0.9, 0.1)
    tables = [pd.DataFrame({**rows, "target": np.where(target, "b", "a"), "p_a": 1 - p, "p_b": p})
              for p in (right, 1 - right)]  # fmt: skip
    found = compare(
        [entry(FLAGSHIP, 0, table=tables[0]), entry(Contender("theirs"), 0, table=tables[1])], flagship=FLAGSHIP
    )
    assert {one.p for one in found.paired if one.metric == "accuracy"} == {2.0 ** (1 - patients)}
    assert [test.p for test in found.delong] == ([2.0 ** (1 - patients)] if patients > 3 else [])


def test_the_floor_counts_the_patients_of_a_pool_once():
    other = Condition("cohort", "affected", "patient")
    tables = [predictions(skill, 0, patients=6) for skill in (9.0, -9.0)]
    entries = [
        entry(who, 0, table=table, of=where)
        for where in (SET, other)
        for who, table in zip((FLAGSHIP, Contender("theirs")), tables, strict=True)
    ]
    found = compare(entries, flagship=FLAGSHIP, pools=[(SET, other)])
    pooled = [one for one in found.paired if len(one.conditions) == 2 and one.metric == "accuracy"]
    assert {one.p for one in pooled} == {2.0**-5}
