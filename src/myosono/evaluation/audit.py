"""What a predictions table gives away about itself: reasons to trust its figures less."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myosono.evaluation.calibration import TEMPERATURE_BOUNDS
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.evaluation.levels import Units
from myosono.evaluation.table import Predictions

FEW_PATIENTS_OF_CLASS = 5


def find_warnings(predictions: Predictions, temperatures: Mapping[str, float], patients: Units) -> tuple[str, ...]:
    """All warnings about a table, each one sentence.

    Parameters
    ----------
    predictions
        The whole table, test and validation rows.
    temperatures
        By fold, as fitted.
    patients
        The test patients.
    """
    return (
        *_few_patients(predictions, patients),
        *_shared_with_validation(predictions),
        *_tested_in_several_folds(predictions),
        *_temperatures(predictions, temperatures),
    )


def _few_patients(predictions: Predictions, patients: Units) -> list[str]:
    found = []
    if len(patients) < FEW_PATIENTS:
        found.append(
            f"Only {len(patients)} test patients: intervals from fewer than {FEW_PATIENTS} patients are too narrow."
        )
    support = np.bincount(patients.targets, minlength=len(predictions.classes))
    for name, count in zip(predictions.classes, support.tolist(), strict=True):
        if count == 0:
            found.append(f"No test patient has class {name}: its sensitivity and AUC are undefined.")
        elif count < FEW_PATIENTS_OF_CLASS:
            found.append(f"Class {name} has only {count} test patient{'s' if count > 1 else ''}.")
    return found


def _shared_with_validation(predictions: Predictions) -> list[str]:
    test, validation = predictions.rows("test").table, predictions.rows("validation").table
    shared = test.merge(validation[["fold", "patient_id"]].drop_duplicates(), on=["fold", "patient_id"])
    if shared.empty:
        return []
    patients, share = shared["patient_id"].nunique(), len(shared) / len(test)
    return [
        f"{patients} patients are in test and validation of the same fold ({share:.0%} of test images): "
        "the split is not by patient, and calibration looks better than it is."
    ]


def _tested_in_several_folds(predictions: Predictions) -> list[str]:
    test = predictions.rows("test").table
    again = int((test.groupby("image_id")["fold"].nunique() > 1).sum())
    if again:
        return [f"{again} images are tested in more than one fold and count once for each."]
    return []


def _temperatures(predictions: Predictions, temperatures: Mapping[str, float]) -> list[str]:
    test_folds = predictions.rows("test").folds
    without = [fold for fold in test_folds if fold not in temperatures]
    found = []
    if temperatures and without:
        found.append(f"No validation rows in fold {', '.join(without)}: its probabilities stay uncalibrated.")
    lo, hi = TEMPERATURE_BOUNDS
    for fold, temperature in temperatures.items():
        if not lo * 1.01 < temperature < hi * 0.99:
            found.append(
                f"The temperature of fold {fold} is at its limit ({temperature:.3g}): its validation patients do not "
                "determine it."
            )
    return found
