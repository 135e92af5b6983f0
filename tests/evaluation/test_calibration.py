from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from myosono.evaluation import (
    apply_temperature,
    check_predictions,
    evaluate,
    fit_temperature,
    fit_temperatures,
    patient_weights,
    reliability_bins,
)
from myosono.evaluation.calibration import brier_score, expected_calibration_error, negative_log_likelihood


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
    assert evaluate(changed, resamples=0).calibration.temperatures == before


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
    assert image.after.nll < image.before.nll
    assert image.after.ece < image.before.ece


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


def test_a_patient_in_test_and_validation_of_one_fold_is_reported(study):
    leaking = study.copy()
    held = leaking["role"] == "validation"
    leaking.loc[held, "fold"] = (leaking.loc[held, "fold"] - 1) % 4
    leaking.loc[held, "image_id"] += "-another"
    found = evaluate(leaking, resamples=0)
    assert found.shared.test_and_validation == 40
    assert any("test and validation of the same fold" in line for line in found.warnings)
    assert not evaluate(study, resamples=0).warnings
