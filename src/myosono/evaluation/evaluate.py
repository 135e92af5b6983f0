"""One call from a predictions table to everything that is reported about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from myosono.errors import PredictionsError
from myosono.evaluation import audit, sections
from myosono.evaluation.calibration import calibrate_images, calibrate_patients, fit_temperatures
from myosono.evaluation.conformal import ALPHA
from myosono.evaluation.intervals import PatientBootstrap
from myosono.evaluation.levels import LEVELS, units_at
from myosono.evaluation.patients import patient_results, prediction_set_section
from myosono.evaluation.result import Evaluation, LevelMetrics, plain
from myosono.evaluation.table import Predictions, check_predictions


def evaluate(
    predictions: pd.DataFrame | Predictions,
    *,
    classes: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    split: Mapping[str, Any] | None = None,
    alpha: float = ALPHA,
) -> Evaluation:
    """Score test predictions per image, muscle and patient, calibrated on validation patients.

    Parameters
    ----------
    predictions
        A predictions table (docs/architecture.md), or one that :func:`read_predictions` checked.
    classes
        Class names in the wanted order. Default: the order of the ``p_<class>`` columns.
    resamples
        Draws of patients behind each 95 % interval; 0 gives no intervals.
    seed
        Same seed, same intervals.
    split
        What is known of the split (``kind``, ``leaks``, ``folds``, ``seed``, ``overlap``), passed on to the report.
    alpha
        Promised miss rate of the patients' prediction sets.

    Raises
    ------
    PredictionsError
        If the table is not a predictions table, or holds no test rows.
    """
    if not isinstance(predictions, Predictions):
        predictions = check_predictions(predictions, classes=classes)
    test, validation = predictions.rows("test"), predictions.rows("validation")
    if test.table.empty:
        raise PredictionsError("column role holds no 'test' row: nothing to evaluate", path=predictions.source)
    temperatures = fit_temperatures(predictions)
    calibrated = calibrate_images(test, temperatures)
    patients = calibrate_patients(test, calibrated, temperatures)
    bootstrap = PatientBootstrap(test.table["patient_id"].tolist(), resamples=resamples, seed=seed)
    has_muscles = bool((test.table["muscle"] != "").any())
    levels: dict[str, LevelMetrics] = {
        level: sections.level_metrics(
            patients if level == "patient" else units_at(level, test, calibrated), test.classes, bootstrap
        )
        for level in LEVELS
        if level != "muscle" or has_muscles
    }
    conformal, sets = prediction_set_section(test, patients, validation, temperatures, bootstrap, alpha)
    folds = sections.fold_metrics(test, calibrated, validation, temperatures)
    return Evaluation(
        classes=test.classes,
        counts=sections.count(test, validation),
        split=None if split is None else plain(split),
        shared=audit.find_shared_patients(predictions),
        levels=levels,
        by_muscle=sections.muscle_metrics(test, calibrated, bootstrap) if has_muscles else (),
        folds=folds,
        fold_spread=sections.fold_spread(folds),
        calibration=sections.calibration_section(test, calibrated, patients, temperatures, bootstrap),
        conformal=conformal,
        patients=patient_results(patients, test.classes, sets),
        resamples=resamples,
        seed=seed,
        warnings=audit.find_warnings(predictions, temperatures, patients),
    )
