from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myosono.evaluation import check_predictions, coverage_range, evaluate, fit_conformal, patients_needed, units_at
from myosono.evaluation.conformal import ConformalRule, conformal_quantile
from myosono.evaluation.patients import FoldRule, _range

from .conftest import CLASSES, softmax

Arrays = tuple[np.ndarray, np.ndarray]


def clustered(rng: np.random.Generator, patients: int, images: int = 6, spread: float = 1.2) -> Arrays:
    """Pooled probabilities of patients whose images resemble each other, and their targets."""
    targets = rng.choice(4, patients, p=[0.4, 0.25, 0.2, 0.15])
    mean = rng.normal(0, spread, (patients, 4)) + 1.2 * np.eye(4)[targets]
    return softmax(mean[:, None] + rng.normal(0, 0.5, (patients, images, 4))).mean(axis=1), targets


def coverage(rng: np.random.Generator, calibration: int, alpha: float, kind: str, repeats: int, **options: float):
    """Of each repeat: share covered, by class."""
    found = []
    for _ in range(repeats):
        rule = fit_conformal(*clustered(rng, calibration, **options), classes=CLASSES, alpha=alpha, kind=kind)
        p, truth = clustered(rng, 80, **options)
        covered = rule.sets(p)[np.arange(80), truth]
        found.append(
            [covered.mean(), *(covered[truth == k].mean() if (truth == k).any() else np.nan for k in range(4))]
        )
    return np.array(found)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    calibration=st.integers(20, 60),
    alpha=st.sampled_from([0.05, 0.1, 0.2]),
    images=st.sampled_from([1, 8, 30]),
    spread=st.floats(0.3, 2),
    seed=st.integers(0, 2**31),
)
def test_coverage_over_patients_is_exact(calibration: int, alpha: float, images: int, spread: float, seed: int):
    """ceil((n + 1)(1 - alpha)) / (n + 1), neither less nor more, whatever the images of a patient share (Vovk 2012)."""
    rng, repeats = np.random.default_rng(seed), 300
    share = coverage(rng, calibration, alpha, "marginal", repeats, images=images, spread=spread)[:, 0]
    exact = np.ceil(round((calibration + 1) * (1 - alpha), 9)) / (calibration + 1)
    assert exact >= 1 - alpha
    assert abs(share.mean() - exact) <= 4 * share.std() / np.sqrt(repeats)


def test_class_conditional_coverage_holds_for_every_class():
    by_class = np.nanmean(coverage(np.random.default_rng(3), 150, 0.1, "class_conditional", 120), axis=0)[1:]
    assert by_class.min() >= 0.9 - 0.015


def test_a_marginal_promise_may_leave_a_rare_class_out():
    p, truth = np.array([[0.9, 0.1]] * 120 + [[0.7, 0.3]] * 10), np.repeat([0, 1], [120, 10])
    for kind, held in (("marginal", 0.0), ("class_conditional", 1.0)):
        sets = fit_conformal(p, truth, classes=("common", "rare"), kind=kind).sets(p)
        assert sets[truth == 1, 1].mean() == held


def test_the_finite_sample_quantile():
    p = np.linspace(0.05, 0.95, 19)
    found = fit_conformal(np.stack([p, 1 - p], axis=1), np.zeros(19, int), classes=("A", "B"))
    assert found.thresholds == (pytest.approx(np.sort(1 - p)[17]),) * 2  # ceil(20 * 0.9) = 18th smallest of 19


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), patients=st.integers(0, 60), alphas=st.tuples(*[st.floats(0.02, 0.6)] * 2))
def test_laws_of_sets(seed: int, patients: int, alphas: tuple[float, float]):
    rng = np.random.default_rng(seed)
    p, targets = clustered(rng, patients)
    new, _ = clustered(rng, 20)
    order, small, large = rng.permutation(patients), *sorted(alphas)
    for kind in ("marginal", "class_conditional"):
        strict, loose = (fit_conformal(p, targets, classes=CLASSES, alpha=a, kind=kind) for a in (small, large))
        assert (strict.sets(new) >= loose.sets(new)).all()  # more confidence, more classes
        again = fit_conformal(p[order], targets[order], classes=CLASSES, alpha=small, kind=kind)
        assert again == strict
    marginal = fit_conformal(p, targets, classes=CLASSES, alpha=small, kind="marginal")
    sets = marginal.sets(new)
    inside, outside = np.where(sets, new, np.inf).min(axis=1), np.where(sets, -np.inf, new).max(axis=1)
    assert (inside > outside).all()  # no class in a set is less probable than one outside


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.2, 4)])
def test_too_few_patients_always_abstain(alpha: float, needed: int):
    assert patients_needed(alpha) == needed
    for patients in (0, needed - 1, needed):
        p = np.tile([0.9, 0.1], (patients, 1))
        found = fit_conformal(p, np.zeros(patients, int), classes=("A", "B"), alpha=alpha)
        assert found.always_abstains == (patients < needed)
        assert found.sets(np.array([[0.9, 0.1]])).all() == (patients < needed)


def test_each_class_has_its_threshold_once_it_has_the_patients():
    p = softmax(np.random.default_rng(0).normal(size=(40, 2)))
    enough = fit_conformal(p, np.repeat([0, 1], [31, 9]), classes=("A", "B"))
    assert (enough.kind, enough.patients) == ("class_conditional", (31, 9))
    short = fit_conformal(p, np.repeat([0, 1], [32, 8]), classes=("A", "B"))
    assert short.kind == "marginal"
    assert "B has 8 calibration patients, fewer than 9" in short.note
    forced = fit_conformal(p, np.repeat([0, 1], [32, 8]), classes=("A", "B"), kind="class_conditional")
    assert forced.thresholds[1] is None
    assert forced.sets(p)[:, 1].all()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_impossible_requests(alpha: float):
    with pytest.raises(ValueError, match="alpha"):
        fit_conformal(np.ones((1, 2)), np.zeros(1, int), classes=("A", "B"), alpha=alpha)
    with pytest.raises(ValueError, match="shape"):
        fit_conformal(np.ones((2, 2)), np.zeros(1, int), classes=("A", "B"))


def test_true_coverage_of_one_calibration_lies_in_the_stated_range():
    rng = np.random.default_rng(8)
    lo, hi = coverage_range(20, 0.1)
    true = 1 - np.array([1 - conformal_quantile(rng.random(20), 0.1) for _ in range(4000)])
    assert np.mean((true >= lo) & (true <= hi)) == pytest.approx(0.9, abs=0.02)
    assert coverage_range(8, 0.1) == (1.0, 1.0)


def test_equal_to_mapie():
    """Same sets as the field's library, both given patients as rows (its `prefit` LAC)."""
    classification = pytest.importorskip("mapie.classification", reason="mapie is in the extra dev")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):
        """Probabilities as they are."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> Given:
            self.classes_ = np.arange(4)
            self.is_fitted_ = True
            return self

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return X

        def predict(self, X: np.ndarray) -> np.ndarray:
            return X.argmax(axis=1)

    rng = np.random.default_rng(12)
    for patients, alpha in ((19, 0.1), (40, 0.1), (63, 0.2)):
        p, targets = clustered(rng, patients)
        targets[:4] = range(4)
        new, _ = clustered(rng, 200)
        theirs = classification.SplitConformalClassifier(
            Given().fit(p, targets), confidence_level=1 - alpha, conformity_score="lac", prefit=True
        ).conformalize(p, targets)
        _, sets = theirs.predict_set(new)
        ours = fit_conformal(p, targets, classes=CLASSES, alpha=alpha, kind="marginal").sets(new)
        assert (sets[:, :, 0] == ours).all()


def test_in_an_evaluation(make):
    study = make(80, folds=4)
    found = evaluate(study, resamples=200).conformal
    assert found.fitted
    assert {name: sum(fold.patients.values()) for name, fold in found.folds.items()} == dict.fromkeys("0123", 20)
    assert {fold.kind for fold in found.folds.values()} == {"marginal"}
    assert "needs 9 validation patients of every class in a fold" in found.note
    assert found.overall.coverage.value >= 0.85
    assert found.overall.accuracy_when_decided.value >= 0.7
    parts = (found.overall.decided, found.overall.narrowed, found.overall.abstained)
    assert sum(part.value for part in parts) == pytest.approx(1)
    assert sum(one.patients for one in found.per_class.values()) == 80
    assert sum(found.out_of_fold.patients.values()) == 80
    assert found.coverage_range == pytest.approx(coverage_range(20, 0.1))


def test_folds_with_patients_enough_promise_it_for_each_class(make):
    found = evaluate(make(160, folds=4), resamples=0).conformal
    assert {fold.kind for fold in found.folds.values()} == {"class_conditional"}
    assert found.coverage_range is None
    assert "holds within each class" in found.note


def test_too_few_or_no_validation_patients_in_an_evaluation(make):
    short = evaluate(make(16, folds=4), resamples=0).conformal
    assert short.overall.mean_set_size == 4
    assert short.overall.abstained.value == 1
    assert "fewer than the 9 validation patients" in short.note
    none = evaluate(make(validation=False), resamples=0).conformal
    assert not none.fitted
    assert none.overall is None


def test_more_images_of_the_same_patients_promise_nothing_more(make):
    """Images are no units: a study with every image ten times has the same rule."""
    study = make(40)
    again = study.loc[study.index.repeat(10)].assign(image_id=lambda table: [f"{i}" for i in range(len(table))])
    one, many = (evaluate(table, resamples=0).conformal for table in (study, again))
    for fold, found in one.folds.items():
        assert many.folds[fold].patients == found.patients
        assert list(many.folds[fold].thresholds.values()) == pytest.approx(list(found.thresholds.values()), abs=1e-4)
    assert len(units_at("patient", check_predictions(again).rows("test"))) == 40


def test_a_fold_that_always_abstains_does_not_hide_the_range_of_the_others():
    few = FoldRule(ConformalRule("marginal", 0.1, (None,) * 4, (2, 2, 2, 2), ""), None)
    enough = FoldRule(ConformalRule("marginal", 0.1, (0.5,) * 4, (3, 3, 3, 3), ""), None)
    assert _range({"0": few, "1": enough}, 0.1) == coverage_range(12, 0.1)
    assert _range({"0": few}, 0.1) == coverage_range(8, 0.1)
