"""Do probabilities mean what they say? Temperatures for images and for patients, and how far off both are."""

from myosono.evaluation.calibration.scores import (
    BINS,
    brier_score,
    calibration_draws,
    calibration_scores,
    chance_error,
    expected_calibration_error,
    negative_log_likelihood,
    patient_bins,
    reliability_bins,
)
from myosono.evaluation.calibration.support import calibration_warnings, few_patients, judging_note
from myosono.evaluation.calibration.temperature import (
    TEMPERATURE_BOUNDS,
    Temperatures,
    calibrate_images,
    calibrate_patients,
    fit_patient_temperature,
    fit_temperature,
    fit_temperatures,
    patient_weights,
)

__all__ = [
    "BINS",
    "TEMPERATURE_BOUNDS",
    "Temperatures",
    "brier_score",
    "calibrate_images",
    "calibrate_patients",
    "calibration_draws",
    "calibration_scores",
    "calibration_warnings",
    "chance_error",
    "expected_calibration_error",
    "few_patients",
    "fit_patient_temperature",
    "fit_temperature",
    "fit_temperatures",
    "judging_note",
    "negative_log_likelihood",
    "patient_bins",
    "patient_weights",
    "reliability_bins",
]
