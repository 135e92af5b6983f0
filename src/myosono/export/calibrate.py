"""What a model file says of its calibration: both temperatures, the rule of its prediction sets, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from myosono.evaluation import (
    calibrate_images,
    calibrate_patients,
    check_predictions,
    coverage_range,
    few_patients,
    fit_conformal,
    fit_temperatures,
)


def calibration_metadata(table: pd.DataFrame, classes: tuple[str, ...]) -> tuple[float, dict[str, Any]]:
    """The image temperature, and the metadata keys of calibration, from a table's validation patients.

    Parameters
    ----------
    table
        Predictions table of one fold, uncalibrated; rows of other roles are not looked at.
    classes
        Class names in the order of the network's outputs.

    Returns
    -------
    temperature, metadata
        The metadata's ``patient_temperature`` applies to patient probabilities after pooling; ``conformal`` to those
        probabilities; ``calibration`` states on whom both rest.
    """
    validation = check_predictions(table[table["role"] == "validation"], classes=classes)
    temperatures = fit_temperatures(validation)
    (both,) = temperatures.values()
    patients = calibrate_patients(validation, calibrate_images(validation, temperatures), temperatures)
    rule = fit_conformal(patients.probabilities, patients.targets, classes=classes)
    per_class = dict(zip(classes, rule.patients, strict=True))
    few = few_patients(patients.targets)
    return both.image, {
        "temperature": both.image,
        "patient_temperature": both.patient,
        "conformal": {
            "kind": rule.kind,
            "alpha": rule.alpha,
            "thresholds": dict(zip(classes, rule.thresholds, strict=True)),
            "patients": len(patients),
            "coverage_range": list(coverage_range(len(patients), rule.alpha)) if rule.kind == "marginal" else None,
            "note": rule.note,
        },
        "calibration": {
            "patients": len(patients),
            "patients_per_class": per_class,
            "images_per_patient": {"fewest": int(patients.images.min()), "median": float(np.median(patients.images))},
            "warnings": [] if few is None else [f"calibrated on few patients: {few}"],
        },
    }
