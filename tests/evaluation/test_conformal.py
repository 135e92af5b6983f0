from __future__ import annotations

import numpy as np
import pytest

from myosono.evaluation import conformal_threshold, evaluate, patients_needed, prediction_sets
from myosono.pooling import pool_probabilities

from .conftest import softmax


def clustered(rng: np.random.Generator, patients: int, images: int = 6, classes: int = 4):
    targets = rng.integers(0, classes, patients)
    mean = rng.normal(0, 1.2, (patients, classes)) + 1.2 * np.eye(classes)[targets]
    p = softmax(mean[:, None] + rng.normal(0, 0.5, (patients, images, classes))).reshape(-1, classes)
    names = np.repeat([f"P{i}" for i in range(patients)], images).tolist()
    return p, np.repeat(targets, images), names, targets


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_coverage_with_clustered_patients(alpha: float):
    rng, covered = np.random.default_rng(5), []
    for _ in range(150):
        p, targets, names, _ = clustered(rng, 30)
        threshold = conformal_threshold(p, targets, names, alpha=alpha).threshold
        new, _, new_names, truth = clustered(rng, 60)
        sets = prediction_sets(pool_probabilities(new, new_names)[1], threshold)
        covered.append(sets[np.arange(60), truth].mean())
    assert 1 - alpha - 0.01 <= np.mean(covered) <= 1 - alpha + 0.05


def test_the_finite_sample_quantile():
    p = np.linspace(0.05, 0.95, 19)[:, None]
    found = conformal_threshold(np.hstack([p, 1 - p]), np.zeros(19, int), [str(i) for i in range(19)], alpha=0.1)
    assert found.threshold == pytest.approx(np.sort(1 - p[:, 0])[17])  # ceil(20 * 0.9) = 18th smallest of 19


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.2, 4)])
def test_too_few_patients_always_abstain(alpha: float, needed: int):
    assert patients_needed(alpha) == needed
    for patients in (needed - 1, needed):
        p = np.tile([0.9, 0.1], (patients, 1))
        found = conformal_threshold(p, np.zeros(patients, int), [str(i) for i in range(patients)], alpha=alpha)
        assert found.always_abstains == (patients < needed)
        assert prediction_sets(p, found.threshold).all() == (patients < needed)
    assert conformal_threshold(np.zeros((0, 2)), np.zeros(0, int), []).always_abstains


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_impossible_alpha(alpha: float):
    with pytest.raises(ValueError, match="alpha"):
        conformal_threshold(np.ones((1, 1)), np.zeros(1, int), ["a"], alpha=alpha)


def test_in_an_evaluation(make):
    found = evaluate(make(80, folds=4), resamples=200).conformal
    assert found.fitted
    assert {name: fold.patients for name, fold in found.folds.items()} == dict.fromkeys("0123", 20)
    assert found.coverage.value >= 0.85
    assert found.accuracy_when_decided.value >= 0.7
    assert found.out_of_fold.patients == 80
    short = evaluate(make(16, folds=4), resamples=0).conformal
    assert short.mean_set_size == 4
    assert "fewer than the 9 validation patients" in short.note
    assert not evaluate(make(validation=False), resamples=0).conformal.fitted
