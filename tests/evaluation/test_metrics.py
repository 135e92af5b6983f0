"""Ours against scikit-learn's, on random tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from myosono.evaluation import score
from myosono.evaluation.metrics import one_vs_rest_auc, roc_curve


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes = draw(st.integers(2, 5))
    units = draw(st.integers(classes, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    targets = np.r_[np.arange(classes), rng.integers(0, classes, units - classes)]
    coarse = rng.integers(1, draw(st.sampled_from([3, 1000])), (units, classes)).astype(float)  # 3: many ties
    return targets, coarse / coarse.sum(axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_equal_to_scikit_learn(table: tuple[np.ndarray, np.ndarray]):
    targets, p = table
    labels, decided, found = np.arange(p.shape[1]), p.argmax(axis=1), score(*table)
    assert found.accuracy[0] == pytest.approx(sk.accuracy_score(targets, decided))
    assert found.balanced_accuracy[0] == pytest.approx(sk.balanced_accuracy_score(targets, decided))
    assert found.macro_f1[0] == pytest.approx(
        sk.f1_score(targets, decided, average="macro", labels=labels, zero_division=0)
    )
    assert np.array_equal(found.confusion[0], sk.confusion_matrix(targets, decided, labels=labels))
    assert np.allclose(found.sensitivity[0], sk.recall_score(targets, decided, average=None, labels=labels))
    for k in labels:
        assert found.class_auc[0, k] == pytest.approx(sk.roc_auc_score(targets == k, p[:, k]))
        against = sk.recall_score(targets != k, decided != k)
        assert found.specificity[0, k] == pytest.approx(against)
    if len(labels) > 2:
        assert found.auc[0] == pytest.approx(sk.roc_auc_score(targets, p, multi_class="ovr"))
    else:
        assert found.auc[0] == pytest.approx(sk.roc_auc_score(targets, p[:, 1]))


@settings(max_examples=30, deadline=None)
@given(tables(), st.integers(0, 1000))
def test_weights_are_repetitions(table: tuple[np.ndarray, np.ndarray], seed: int):
    targets, p = table
    counts = np.random.default_rng(seed).integers(0, 4, len(targets))
    counts[0] += 1
    weighted = score(targets, p, counts[None].astype(float))
    repeated = score(np.repeat(targets, counts), np.repeat(p, counts, axis=0))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auc", "sensitivity", "specificity", "class_auc"):
        assert np.allclose(getattr(weighted, name), getattr(repeated, name), equal_nan=True), name


def test_an_absent_class_is_undefined_not_zero():
    p = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    found = score(np.array([0, 1]), p)
    assert np.isnan(found.sensitivity[0, 2])
    assert np.isnan(found.class_auc[0, 2])
    assert found.balanced_accuracy[0] == 1.0


def test_auc_of_nothing_is_nan():
    assert np.isnan(one_vs_rest_auc(np.zeros(0, bool), np.zeros(0), np.ones((2, 0)))).all()


def test_roc_curve_ends_and_area():
    rng = np.random.default_rng(0)
    positive, scores = rng.random(500) < 0.4, rng.random(500).round(2)
    false, true = roc_curve(positive, scores, points=10_000)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(sk.roc_auc_score(positive, scores))
    assert len(roc_curve(positive, scores, points=20)[0]) <= 20
