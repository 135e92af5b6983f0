"""What a predictions table gives away about itself: reasons to trust its figures less."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from myosono.evaluation.calibration import Temperatures, calibration_warnings
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.evaluation.levels import Units
from myosono.evaluation.result import SharedPatients
from myosono.evaluation.table import Predictions

FEW_PATIENTS_OF_CLASS = 5


def find_warnings(
    predictions: Predictions, temperatures: Mapping[str, Temperatures], patients: Units
) -> tuple[str, ...]:
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
        *predictions.notes,
        *_without_muscle(predictions),
        *_few_patients(predictions, patients),
        *_shared(find_shared_patients(predictions)),
        *_repeated(predictions),
        *calibration_warnings(predictions, temperatures),
    )


def _without_muscle(predictions: Predictions) -> list[str]:
    """Only where others name one: a table without muscles has no figures of muscles."""
    test = predictions.rows("test").table
    count, of = int((test["muscle"] == "").sum()), len(test)
    if not 0 < count < of:
        return []
    return [
        f"{count} of {of} test images name no muscle: they count as images and for their patients, but not in the "
        "figures of muscles."
    ]


def _few_patients(predictions: Predictions, patients: Units) -> list[str]:
    found = []
    if len(patients) < FEW_PATIENTS:
        people = f"{len(patients)} test patient{'s' if len(patients) > 1 else ''}"
        found.append(f"Only {people}: intervals from fewer than {FEW_PATIENTS} patients are too narrow.")
    support = np.bincount(patients.targets, minlength=len(predictions.classes))
    for name, count in zip(predictions.classes, support.tolist(), strict=True):
        if count == 0:
            found.append(f"No test patient has class {name}: its sensitivity and AUC are undefined.")
        elif count < FEW_PATIENTS_OF_CLASS:
            found.append(f"Class {name} has only {count} test patient{'s' if count > 1 else ''}.")
    return found


def find_shared_patients(predictions: Predictions) -> SharedPatients:
    """Patients on both sides of a split, as far as a table without training rows can tell.

    A patient who is in test and validation of one fold, or whose images are dealt out over the tests of several
    folds, was not kept together, so its other images were very likely trained on.
    """
    test, validation = predictions.rows("test").table, predictions.rows("validation").table
    in_both = test.merge(validation[["fold", "patient_id"]].drop_duplicates(), on=["fold", "patient_id"])
    dealt = _dealt_out(test, named=predictions.named)
    concerned = set(in_both["patient_id"]) | set(dealt)
    return SharedPatients(
        test_and_validation=int(in_both["patient_id"].nunique()),
        several_test_folds=len(dealt),
        share_of_test_images=float(test["patient_id"].isin(concerned).mean()),
    )


def _dealt_out(test: pd.DataFrame, *, named: bool) -> list[str]:
    """Patients who are tested in several folds, other than by repeated cross-validation.

    Repeats test the same images again, a split by image deals different ones to each fold. Where images have no names,
    repeats are known by their evenness: every patient in as many folds, with as many images in each.
    """
    counts = test.groupby(["patient_id", "fold"]).size().groupby("patient_id").agg(["size", "min", "max"])
    several = counts["size"] > 1
    if not named:
        even = (counts["min"] == counts["max"]).all() and counts["size"].nunique() == 1
        return [] if even else counts.index[several].tolist()
    distinct = test.groupby("patient_id")["image_id"].nunique()
    return counts.index[several & (distinct > counts["max"])].tolist()


def _shared(shared: SharedPatients) -> list[str]:
    found = []
    if shared.test_and_validation:
        found.append(
            f"{_people(shared.test_and_validation)} in test and validation of the same fold: the split is not by "
            "patient, and calibration looks better than it is."
        )
    if shared.several_test_folds:
        found.append(
            f"{_people(shared.several_test_folds)} tested in several folds, with other images in each: the split is "
            "not by patient."
        )
    return found


def _people(count: int) -> str:
    return "1 patient is" if count == 1 else f"{count} patients are"


def _repeated(predictions: Predictions) -> list[str]:
    test = predictions.rows("test").table
    again = int((test.groupby("image_id")["fold"].nunique() > 1).sum())
    return [f"{again} images are tested in more than one fold and count once for each."] if again else []
