from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from myosono.evaluation import Estimate, PatientBootstrap, check_predictions, evaluate, percentile_interval
from myosono.evaluation.audit import find_shared_patients
from myosono.evaluation.intervals import exact_share, share_interval


def width(estimate: Estimate) -> float:
    assert estimate.hi is not None
    assert estimate.lo is not None
    return estimate.hi - estimate.lo


def test_patients_make_wider_intervals_than_images(make):
    study = make(40, patient_noise=2.0, shots=5, validation=False)
    by_patient = evaluate(study).levels["image"].accuracy
    by_image = evaluate(study.assign(patient_id=study["image_id"])).levels["image"].accuracy
    assert by_patient.value == by_image.value
    assert width(by_patient) > 2 * width(by_image)


def test_coverage_of_the_interval_on_clustered_data():
    """Patients differ in how often they are read right; the true mean is 0.6."""
    rng, held = np.random.default_rng(1), 0
    repeats, patients, images = 200, 40, 15
    for repeat in range(repeats):
        skill = rng.beta(1.2, 0.8, patients)
        right = (rng.random((patients, images)) < skill[:, None]).mean(axis=1)
        counts = PatientBootstrap([str(i) for i in range(patients)], resamples=400, seed=repeat).counts
        interval = percentile_interval(right.mean(), counts @ right / patients)
        held += interval.lo <= 0.6 <= interval.hi
    assert 0.89 <= held / repeats <= 0.99


def test_a_draw_takes_all_images_of_a_patient():
    bootstrap = PatientBootstrap(["a", "b", "c"], resamples=50, seed=3)
    weights = bootstrap.weights(["a", "b", "b", "c"])
    assert weights.shape == (50, 4)
    assert np.array_equal(weights[:, 1], weights[:, 2])
    assert (bootstrap.counts.sum(axis=1) == 3).all()


def test_undefined_resamples_are_left_out_and_half_of_them_are_too_many():
    samples = np.r_[np.full(40, np.nan), np.linspace(0, 1, 60)]
    assert percentile_interval(0.5, samples).lo is not None
    assert percentile_interval(0.5, np.r_[np.full(60, np.nan), np.ones(40)]) == Estimate(0.5)
    assert percentile_interval(float("nan"), samples) == Estimate(None)


def test_draws_that_agree_are_no_certainty():
    draws = np.ones(100)
    assert percentile_interval(1.0, draws) == Estimate(1.0)
    assert share_interval(1.0, draws, 9) == exact_share(1.0, 9)
    # of a class that some draws lack, and one that most lack
    assert share_interval(1.0, np.r_[np.full(40, np.nan), np.ones(60)], 3) == exact_share(1.0, 3)
    assert share_interval(1.0, np.r_[np.full(60, np.nan), np.ones(40)], 3) == Estimate(1.0)
    assert share_interval(1.0, np.ones(0), 9) == Estimate(1.0)  # no draws, no interval


def test_a_class_that_resamples_lose_still_has_defined_macro_averages(make):
    study = make(9, classes=("A", "B", "C"), folds=3)
    study = study[~study["patient_id"].isin(["P002", "P005"])]  # one patient of C is left
    found = evaluate(study, resamples=300)
    assert found.levels["patient"].balanced_accuracy.lo is not None
    assert any("Class C has only 1 test patient." in line for line in found.warnings)
    assert any("Only 7 test patients" in line for line in found.warnings)


def test_fast_enough(make):
    study = make(80, muscles=("D", "B", "FCR", "FDP", "R", "T", "G"), shots=3)
    begin = time.perf_counter()
    evaluate(study, resamples=1000)
    assert time.perf_counter() - begin < 20  # about 3 s alone on one core


def test_repeated_cross_validation_is_no_leak_but_a_split_by_image_is(make):
    study = make(12, validation=False)
    assert find_shared_patients(check_predictions(study)).several_test_folds == 0
    again = check_predictions(pd.concat([study, study.assign(fold=study["fold"] + 10)]))
    assert find_shared_patients(again).several_test_folds == 0
    by_image = find_shared_patients(check_predictions(study.assign(fold=np.arange(len(study)) % 4)))
    assert (by_image.several_test_folds, by_image.share_of_test_images) == (12, 1.0)


def test_repeats_are_told_from_a_split_by_image_without_names_of_images(make):
    study = make(12, validation=False).drop(columns="image_id")
    repeated = check_predictions(pd.concat([study, study.assign(fold=study["fold"] + 10)]))
    assert find_shared_patients(repeated).several_test_folds == 0
    dealt = np.random.default_rng(0).integers(0, 4, len(study))
    assert find_shared_patients(check_predictions(study.assign(fold=dealt))).several_test_folds > 6


def test_all_right_is_no_certainty_and_gets_the_exact_bound(make):
    """Six patients of a class, all decided rightly, had a sensitivity of 1.00 (1.00 to 1.00)."""
    patients = [f"P{number:02}" for number in range(12)]
    p_a = [0.9 if number % 2 == 0 else 0.1 for number in range(12)]
    p_a[5] = 0.8  # one of B is missed
    table = pd.DataFrame(
        {"patient_id": patients, "target": ["A", "B"] * 6, "p_A": p_a, "p_B": [1 - value for value in p_a]}
    )
    found = evaluate(table, resamples=200).levels["patient"]
    exact = binomtest(6, 6).proportion_ci(method="exact")
    assert found.per_class["A"].sensitivity.lo == pytest.approx(exact.low)
    assert found.per_class["A"].sensitivity.hi == 1.0
    assert found.per_class["B"].specificity.lo == pytest.approx(exact.low)
    assert found.per_class["A"].specificity.hi > found.per_class["A"].specificity.lo > 0
    assert found.accuracy.lo < found.accuracy.value < found.accuracy.hi


def test_many_images_of_few_patients_bound_by_patients_and_one_patient_by_nothing():
    table = pd.DataFrame({"patient_id": ["1", "2", "3"] * 40, "target": "A", "p_A": 0.9, "p_B": 0.1})
    assert evaluate(table, resamples=50).levels["image"].accuracy.lo == pytest.approx(0.025 ** (1 / 3))
    half = pd.DataFrame({"patient_id": "1", "target": "A", "p_A": [0.9, 0.2], "p_B": [0.1, 0.8]})
    assert evaluate(half, resamples=50).levels["image"].accuracy == Estimate(0.5)
