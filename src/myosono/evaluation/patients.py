"""Prediction sets and decisions of the test patients, and how often they hold the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.conformal import conformal_threshold, patients_needed, prediction_sets
from myosono.evaluation.intervals import Estimate, PatientBootstrap, percentile_interval
from myosono.evaluation.levels import Units, units_at
from myosono.evaluation.result import Conformal, FoldThreshold, PatientResult
from myosono.evaluation.table import Predictions

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def prediction_set_section(
    test: Predictions,
    calibrated: Floats,
    validation: Predictions,
    calibrated_validation: Floats,
    bootstrap: PatientBootstrap,
    alpha: float,
) -> tuple[Conformal, dict[str, Bools] | None]:
    """Prediction sets of test patients, each from the threshold of the fold that tested it, and how they fared.

    A patient that several folds tested (only when the split is not by patient) gets the union of its sets.

    Returns
    -------
    section, sets
        ``sets`` maps a patient to its set, shape ``(classes,)``; None without validation rows.
    """
    own = conformal_threshold(calibrated, test.targets, _patients(test), alpha=alpha)
    out_of_fold = FoldThreshold(own.threshold, own.patients)
    if validation.table.empty:
        note, nothing = "No validation rows: no prediction sets were made.", Estimate(None)
        unknown: dict[str, float | None] = dict.fromkeys(test.classes)
        return Conformal(False, note, alpha, {}, out_of_fold, nothing, nothing, nothing, None, unknown), None
    thresholds: dict[str, FoldThreshold] = {}
    sets: dict[str, Bools] = {}
    for fold in test.folds:
        held, tested = _in_fold(validation, fold), _in_fold(test, fold)
        found = conformal_threshold(
            calibrated_validation[held], validation.targets[held], _patients(validation, held), alpha=alpha
        )
        thresholds[fold] = FoldThreshold(found.threshold, found.patients)
        part = Predictions(test.table[tested].reset_index(drop=True), test.classes)
        patients = units_at("patient", part, calibrated[tested])
        rows = prediction_sets(patients.probabilities, found.threshold)
        for patient, row in zip(patients.patients, rows, strict=True):
            sets[patient] = sets[patient] | row if patient in sets else row
    achieved = _achieved(units_at("patient", test, calibrated), sets, test.classes, bootstrap)
    return Conformal(True, _note(thresholds, alpha), alpha, thresholds, out_of_fold, **achieved), sets


def _in_fold(part: Predictions, fold: str) -> Bools:
    return np.asarray(part.table["fold"] == fold, dtype=np.bool_)


def _patients(part: Predictions, rows: Bools | slice = slice(None)) -> list[str]:
    return list(part.table["patient_id"].to_numpy()[rows])


def _note(thresholds: Mapping[str, FoldThreshold], alpha: float) -> str:
    short = [fold for fold, found in thresholds.items() if found.threshold is None]
    if short:
        return (
            f"Fold {', '.join(short)} has fewer than the {patients_needed(alpha)} validation patients that "
            f"{1 - alpha:.0%} coverage needs: every class is in each of its sets."
        )
    return "Thresholds from each fold's validation patients, applied to its test patients."


class _Achieved(TypedDict):
    coverage: Estimate
    decided: Estimate
    accuracy_when_decided: Estimate
    mean_set_size: float | None
    coverage_per_class: dict[str, float | None]


def _achieved(
    everyone: Units, sets: Mapping[str, Bools], classes: tuple[str, ...], bootstrap: PatientBootstrap
) -> _Achieved:
    stacked = np.stack([sets[patient] for patient in everyone.patients])
    covered = stacked[np.arange(len(everyone)), everyone.targets]
    decided = stacked.sum(axis=1) == 1
    weights = bootstrap.weights(everyone.patients)

    def share(of: Bools, among: Bools) -> Estimate:
        if not among.any():
            return Estimate(None)
        drawn_among = weights @ among.astype(np.float64)
        drawn = np.full(len(weights), np.nan)
        np.divide(weights @ (of & among).astype(np.float64), drawn_among, out=drawn, where=drawn_among > 0)
        return percentile_interval(float((of & among).sum() / among.sum()), drawn)

    everybody = np.ones_like(covered)
    return {
        "coverage": share(covered, everybody),
        "decided": share(decided, everybody),
        "accuracy_when_decided": share(covered, decided),
        "mean_set_size": float(stacked.sum(axis=1).mean()),
        "coverage_per_class": {name: share(covered, everyone.targets == k).value for k, name in enumerate(classes)},
    }


def patient_results(units: Units, classes: tuple[str, ...], sets: dict[str, Bools] | None) -> tuple[PatientResult, ...]:
    """One line per test patient, in the order of the table."""
    found = []
    for row, patient in enumerate(units.patients):
        chosen = None if sets is None else tuple(np.asarray(classes)[sets[patient]].tolist())
        found.append(
            PatientResult(
                patient_id=patient,
                target=classes[units.targets[row]],
                label=classes[units.probabilities[row].argmax()],
                probabilities=dict(zip(classes, units.probabilities[row].round(6).tolist(), strict=True)),
                images=int(units.images[row]),
                prediction_set=chosen,
            )
        )
    return tuple(found)
