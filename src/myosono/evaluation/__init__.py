"""Room: evaluation (see docs/architecture.md).

From a predictions table, ours or another tool's, to metrics with intervals over patients, calibration, and
prediction sets that may abstain.
"""

from myosono.evaluation.audit import find_shared_patients
from myosono.evaluation.calibration import (
    Temperatures,
    calibrate_images,
    calibrate_patients,
    calibration_scores,
    few_patients,
    fit_patient_temperature,
    fit_temperature,
    fit_temperatures,
    patient_weights,
    reliability_bins,
)
from myosono.evaluation.conformal import ConformalRule, coverage_range, fit_conformal, patients_needed
from myosono.evaluation.evaluate import evaluate
from myosono.evaluation.intervals import Estimate, PatientBootstrap, percentile_interval
from myosono.evaluation.levels import LEVELS, Units, units_at
from myosono.evaluation.metrics import Scores, score
from myosono.evaluation.result import Evaluation, LevelMetrics
from myosono.evaluation.table import Predictions, check_predictions, read_predictions
from myosono.pooling import apply_temperature

__all__ = [
    "LEVELS",
    "ConformalRule",
    "Estimate",
    "Evaluation",
    "LevelMetrics",
    "PatientBootstrap",
    "Predictions",
    "Scores",
    "Temperatures",
    "Units",
    "apply_temperature",
    "calibrate_images",
    "calibrate_patients",
    "calibration_scores",
    "check_predictions",
    "coverage_range",
    "evaluate",
    "few_patients",
    "find_shared_patients",
    "fit_conformal",
    "fit_patient_temperature",
    "fit_temperature",
    "fit_temperatures",
    "patient_weights",
    "patients_needed",
    "percentile_interval",
    "read_predictions",
    "reliability_bins",
    "score",
    "units_at",
]
