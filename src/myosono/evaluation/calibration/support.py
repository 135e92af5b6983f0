"""Are there patients enough? What few of them cannot support, said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.calibration.temperature import TEMPERATURE_BOUNDS, Temperatures
from myosono.evaluation.levels import Units
from myosono.evaluation.table import Predictions

PATIENTS_PER_PARAMETER = 10
"""Patients outside the most common class for one fitted number: ten events per variable.

The rule of thumb of Peduzzi et al. 1996, J Clin Epidemiol 49:1373. It is a floor rather than a proof of enough; below
it, shrinkage is advised (van Smeden et al. 2019, Stat Methods Med Res 28:2455), which is what `PRIOR_SPREAD` does.
"""

EVENTS_TO_JUDGE = 100
"""Right and wrong decisions, each, that a reliability diagram needs (Vergouwe et al. 2005, J Clin Epidemiol 58:475)."""


def few_patients(targets: NDArray[np.integer]) -> str | None:
    """Why these calibration patients are too few for a temperature, or None.

    Parameters
    ----------
    targets
        Class index of each calibration patient, shape ``(patients,)``.

    Examples
    --------
    >>> few_patients(np.repeat([0, 1], [12, 3]))
    '15 calibration patients, 3 of them outside the most common class, where 10 are needed'
    >>> few_patients(np.repeat([0, 1], [12, 10])) is None
    True
    """
    counts = np.bincount(targets) if len(targets) else np.zeros(1, dtype=np.intp)
    events = len(targets) - int(counts.max())
    if events >= PATIENTS_PER_PARAMETER:
        return None
    return (
        f"{len(targets)} calibration patient{'s' if len(targets) != 1 else ''}, {events} of them outside the most "
        f"common class, where {PATIENTS_PER_PARAMETER} are needed"
    )


def calibration_warnings(predictions: Predictions, temperatures: Mapping[str, Temperatures]) -> tuple[str, ...]:
    """What limits the calibration of a table's folds, each one sentence.

    Parameters
    ----------
    predictions
        The whole table, test and validation rows.
    temperatures
        By fold, as fitted.
    """
    test_folds = predictions.rows("test").folds
    without = [fold for fold in test_folds if fold not in temperatures]
    found = []
    if temperatures and without:
        found.append(f"No validation rows in fold {', '.join(without)}: its probabilities stay uncalibrated.")
    found += _small(predictions.rows("validation"), [fold for fold in test_folds if fold in temperatures])
    lo, hi = TEMPERATURE_BOUNDS
    for fold, both in temperatures.items():
        for level, temperature in (("image", both.image), ("patient", both.patient)):
            if not lo * 1.01 < temperature < hi * 0.99:
                found.append(
                    f"The {level} temperature of fold {fold} is at its limit ({temperature:.3g}): its validation "
                    "patients do not determine it."
                )
    return tuple(found)


def _small(validation: Predictions, folds: Sequence[str]) -> list[str]:
    first = validation.table.drop_duplicates(["fold", "patient_id"])
    codes = {fold: first.loc[first["fold"] == fold, "target"].map(validation.classes.index) for fold in folds}
    short = {fold: reason for fold, part in codes.items() if (reason := few_patients(part.to_numpy(dtype=np.intp)))}
    if not short:
        return []
    fold, reason = min(short.items(), key=lambda item: len(codes[item[0]]))
    return [
        f"Calibrated on few patients in fold {', '.join(short)} (fold {fold}: {reason}; Peduzzi et al. 1996): "
        "probabilities may be too sure or too cautious."
    ]


def judging_note(patients: Units) -> str:
    """Whether the test patients suffice to judge calibration by eye; empty if they do."""
    right = int((patients.probabilities.argmax(axis=1) == patients.targets).sum())
    wrong = len(patients) - right
    if min(right, wrong) >= EVENTS_TO_JUDGE:
        return ""
    return (
        f"{len(patients)} test patients, {right} decided rightly and {wrong} wrongly: fewer than the {EVENTS_TO_JUDGE} "
        "of each that a reliability diagram needs (Vergouwe et al. 2005). Read the bands, not the points."
    )
