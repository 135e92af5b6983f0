from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from myosono.evaluation import (
    PatientBootstrap,
    Units,
    apply_temperature,
    calibration_scores,
    check_predictions,
    evaluate,
    fit_patient_temperature,
    fit_temperature,
    fit_temperatures,
    patient_weights,
    reliability_bins,
)
from myosono.evaluation.calibration import (
    TEMPERATURE_BOUNDS,
    brier_score,
    chance_error,
    expected_calibration_error,
    negative_log_likelihood,
)


def calibrated_draw(n: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    targets = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(max=classes - 1)
    return p, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_recovers_a_known_temperature(temperature: float):
    p, targets = calibrated_draw(20_000)
    distorted = apply_temperature(p, 1 / temperature)
    assert fit_temperature(distorted, targets, [str(i) for i in range(len(p))]) == pytest.approx(temperature, rel=0.05)


def test_temperature_never_looks_at_test_rows(study):
    before = fit_temperatures(check_predictions(study))
    changed, is_test = study.copy(), study["role"] == "test"
    columns = [name for name in study.columns if name.startswith("p_")]
    changed.loc[is_test, columns] = np.roll(changed.loc[is_test, columns].to_numpy(), 1, axis=1)
    assert fit_temperatures(check_predictions(changed)) == before
    assert fit_temperatures(check_predictions(study[is_test])) == {}
    found = evaluate(changed, resamples=0).calibration
    assert found.temperatures == {fold: both.image for fold, both in before.items()}
    assert found.patient_temperatures == {fold: both.patient for fold, both in before.items()}


def test_each_patient_weighs_the_same():
    p, targets = calibrated_draw(60, seed=2)
    patients = [f"{i // 3}" for i in range(60)]
    once = fit_temperature(p, targets, patients)
    many = np.r_[np.arange(60), np.repeat(np.arange(3), 50)]  # fifty more shots of patient 0, the same three images
    repeated = fit_temperature(p[many], targets[many], [patients[i] for i in many])
    assert repeated == pytest.approx(once, rel=1e-4)
    assert patient_weights(patients).sum() == pytest.approx(1)


def test_scaling_keeps_the_decision_and_helps_an_overconfident_network(make):
    study = make(60, sharpness=4.0)
    found = evaluate(study, resamples=0)
    sharp = check_predictions(study).rows("test")
    assert (apply_temperature(sharp.probabilities, 3.0).argmax(1) == sharp.probabilities.argmax(1)).all()
    image = found.calibration.image
    assert min(found.calibration.temperatures.values()) > 1.5
    assert image.after.nll.value < image.before.nll.value
    assert image.after.ece.value < image.before.ece.value


def test_zero_probabilities_stay_finite():
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(fit_temperature(p, np.array([1, 1]), ["a", "b"]))
    assert np.isfinite(apply_temperature(p, 0.1)).all()
    with pytest.raises(ValueError, match="at least one"):
        fit_temperature(p[:0], np.zeros(0, int), [])


def test_equal_to_scikit_learn():
    p, targets = calibrated_draw(500, seed=3)
    assert negative_log_likelihood(p, targets) == pytest.approx(log_loss(targets, p))
    one_hot = np.eye(4)[targets]
    per_class = sum(brier_score_loss(one_hot[:, k], p[:, k]) for k in range(4))
    assert brier_score(p, targets) == pytest.approx(per_class)


def test_expected_calibration_error():
    calibrated, targets = calibrated_draw(20_000)
    assert expected_calibration_error(reliability_bins(calibrated, targets)) < 0.02
    sure = np.tile([1.0, 0.0], (10, 1))
    bins = reliability_bins(sure, np.arange(10) % 2)
    assert sum(part.count for part in bins) == 10
    assert bins[-1].count == 10
    assert expected_calibration_error(bins) == pytest.approx(0.5)


def test_without_validation_rows_it_says_so(make):
    found = evaluate(make(validation=False), resamples=0).calibration
    assert not found.fitted
    assert "No validation rows" in found.note
    assert found.image.before == found.image.after
    assert found.patient.before == found.patient.after


def test_a_patient_in_test_and_validation_of_one_fold_is_reported(study):
    leaking = study.copy()
    held = leaking["role"] == "validation"
    leaking.loc[held, "fold"] = (leaking.loc[held, "fold"] - 1) % 4
    leaking.loc[held, "image_id"] += "-another"
    found = evaluate(leaking, resamples=0)
    assert found.shared.test_and_validation == 40
    assert any("test and validation of the same fold" in line for line in found.warnings)
    assert not any("same fold" in line for line in evaluate(study, resamples=0).warnings)


def test_pooling_makes_patients_underconfident_and_their_temperature_mends_it(make):
    study = make(120, folds=3, shots=6, patient_noise=0.6, sharpness=2.0)
    found = evaluate(study, resamples=0).calibration
    pooled, after = found.patient.image_temperature_only, found.patient.after
    assert all(temperature < 0.8 for temperature in found.patient_temperatures.values())
    assert after.nll.value < pooled.nll.value
    assert after.ece.value < pooled.ece.value


def test_few_patients_draw_the_temperature_towards_one():
    sure = np.tile([0.6, 0.4], (200, 1))
    targets = np.zeros(200, int)
    found = [fit_patient_temperature(sure[:n], targets[:n]) for n in (0, 1, 5, 20, 200)]
    assert found == sorted(found, reverse=True)
    assert found[0] == 1
    assert 0.85 < found[1] < 1
    assert found[-1] < 0.2
    assert found[-1] >= TEMPERATURE_BOUNDS[0]


def test_a_patient_temperature_is_recovered_from_many_patients():
    p, targets = calibrated_draw(20_000, seed=5)
    assert fit_patient_temperature(apply_temperature(p, 1 / 0.5), targets) == pytest.approx(0.5, rel=0.05)


def patients_of(p: np.ndarray, targets: np.ndarray, images: int = 1) -> Units:
    names = tuple(f"P{i // images}" for i in range(len(p)))
    return Units(names, targets, p, np.ones(len(p), dtype=np.intp))


def test_intervals_are_over_patients_not_images():
    p, targets = calibrated_draw(60, seed=6)
    many, again = np.repeat(p, 30, axis=0), np.repeat(targets, 30)
    once, repeated = patients_of(p, targets), patients_of(many, again, images=30)
    bootstrap = PatientBootstrap(once.patients, resamples=400)
    narrow, wide = (calibration_scores(units, bootstrap).brier for units in (repeated, once))
    assert (narrow.value, narrow.lo, narrow.hi) == pytest.approx((wide.value, wide.lo, wide.hi))
    images = Units(tuple(map(str, range(len(many)))), again, many, np.ones(len(many), dtype=np.intp))
    as_images = calibration_scores(images, PatientBootstrap(images.patients, resamples=400)).brier
    assert as_images.hi - as_images.lo < 0.3 * (wide.hi - wide.lo)


def test_intervals_hold_the_value_and_bins_without_error_are_not_certain():
    p, targets = calibrated_draw(80, seed=7)
    units = patients_of(p, targets)
    bootstrap = PatientBootstrap(units.patients, resamples=300)
    found = calibration_scores(units, bootstrap, bins=8)
    for one in (found.ece, found.brier, found.nll):
        assert one.lo < one.value < one.hi
    sure = np.tile([0.9, 0.1], (10, 1))
    bins = reliability_bins(
        sure, np.zeros(10, int), patients=[str(i) for i in range(10)], bootstrap=PatientBootstrap("0123456789")
    )
    (one,) = (part.accuracy for part in bins if part.count)
    assert (one.value, one.hi) == (1, 1)
    assert one.lo == pytest.approx(0.025 ** (1 / 10))  # Clopper and Pearson, ten of ten


def test_error_by_chance_is_that_of_honest_probabilities():
    errors = []
    for seed in range(200):
        p, targets = calibrated_draw(60, seed=seed)
        errors.append(expected_calibration_error(reliability_bins(p, targets, bins=6)))
    p, targets = calibrated_draw(60, seed=999)
    found = chance_error(patients_of(p, targets), bins=6)
    assert found.value == pytest.approx(np.mean(errors), rel=0.15)
    assert found.lo < np.median(errors) < found.hi


def test_too_few_calibration_patients_are_named(make):
    small = evaluate(make(24, folds=4), resamples=0)
    assert any("few patients in fold" in line and "Peduzzi" in line for line in small.warnings)
    assert "fewer than the 100 of each" in small.calibration.judging
    large = evaluate(make(80, folds=2), resamples=0)
    assert not any("few patients" in line for line in large.warnings)
