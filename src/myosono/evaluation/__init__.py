"""Room: evaluation (see docs/architecture.md).

From a predictions table, ours or another tool's, to metrics with intervals over patients, calibration, and
prediction sets that may abstain.
"""

from myosono.evaluation.calibration import (
    apply_temperature,
    calibration_scores,
    fit_temperature,
    fit_temperatures,
    patient_weights,
    reliability_bins,
)
from myosono.evaluation.conformal import ConformalThreshold, conformal_threshold, patients_needed, prediction_sets
from myosono.evaluation.evaluate import evaluate
from myosono.evaluation.intervals import Estimate, PatientBootstrap, percentile_interval
from myosono.evaluation.levels import LEVELS, Units, units_at
from myosono.evaluation.metrics import Scores, score
from myosono.evaluation.result import Evaluation, LevelMetrics
from myosono.evaluation.table import Predictions, check_predictions, read_predictions

__all__ = [
    "LEVELS",
    "ConformalThreshold",
    "Estimate",
    "Evaluation",
    "LevelMetrics",
    "PatientBootstrap",
    "Predictions",
    "Scores",
    "Units",
    "apply_temperature",
    "calibration_scores",
    "check_predictions",
    "conformal_threshold",
    "evaluate",
    "fit_temperature",
    "fit_temperatures",
    "patient_weights",
    "patients_needed",
    "percentile_interval",
    "prediction_sets",
    "read_predictions",
    "reliability_bins",
    "score",
    "units_at",
]
