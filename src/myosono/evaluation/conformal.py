"""Prediction sets for patients that hold the truth as often as promised, whatever the network.

Split conformal prediction with the score "1 - probability of the true class" of a patient's calibrated probabilities
(LAC; Sadinle, Lei & Wasserman 2019, JASA 114:223; Angelopoulos & Bates 2021, arXiv:2107.07511). The promise holds for
patients exchangeable with the calibration patients. Patients are the units, because images of one patient are not
exchangeable with those of another: 400 images of 10 patients are 10 observations.

Two promises. Marginal: the truth is in the set for 90 % of all patients, perhaps for fewer of a rare class.
Class-conditional (Mondrian; Vovk 2012, PMLR 25:475): for 90 % of the patients of each class. The second needs enough
patients of every class, and is given where they are there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from myosono.pooling import in_prediction_set

ALPHA = 0.1

Kind = Literal["marginal", "class_conditional"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConformalRule:
    """A class enters a patient's set when ``1 - probability <= threshold`` of that class.

    Attributes
    ----------
    kind
        ``"marginal"``: the thresholds are all the same. ``"class_conditional"``: each has its own.
    alpha
        Promised miss rate: sets hold the truth for at least ``1 - alpha`` of patients.
    thresholds
        By class. None when there are too few patients for the promise: the class then enters every set.
    patients
        Calibration patients, by class.
    note
        Why the rule is of this kind, in one sentence.
    """

    kind: Kind
    alpha: float
    thresholds: tuple[float | None, ...]
    patients: tuple[int, ...]
    note: str

    @property
    def always_abstains(self) -> bool:
        """True when no class can ever be excluded."""
        return all(threshold is None for threshold in self.thresholds)

    def sets(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which classes are in each patient's set; shape ``(patients, classes)``."""
        return in_prediction_set(probabilities, self.thresholds)


def patients_needed(alpha: float) -> int:
    """Fewest calibration patients for a finite threshold: ``1 / alpha - 1``, rounded up.

    Examples
    --------
    >>> patients_needed(0.1), patients_needed(0.05)
    (9, 19)
    """
    return math.ceil(round((1 - alpha) / alpha, 9))


def conformal_quantile(scores: Floats, alpha: float) -> float | None:
    """The ``ceil((n + 1)(1 - alpha))``-th smallest of ``n`` scores; None if there is none so large.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 20.0), 0.1), conformal_quantile(np.arange(8.0), 0.1)
    (18.0, None)
    """
    rank = math.ceil(round((len(scores) + 1) * (1 - alpha), 9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else None


def fit_conformal(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.integer],
    *,
    classes: Sequence[str],
    alpha: float = ALPHA,
    kind: Literal["auto"] | Kind = "auto",
) -> ConformalRule:
    """The rule from calibration patients.

    Parameters
    ----------
    probabilities
        One row per patient, never per image: pooled and calibrated as they will be when the rule is used,
        shape ``(patients, classes)``.
    targets
        Class index of each patient, shape ``(patients,)``.
    classes
        Class names, for the note.
    alpha
        Promised miss rate, between 0 and 1.
    kind
        ``"auto"`` is class-conditional where every class has :func:`patients_needed` patients, else marginal.

    Raises
    ------
    ValueError
        If ``alpha`` is not between 0 and 1, or lengths differ.

    Examples
    --------
    >>> p = np.linspace(0.5, 1, 19)
    >>> rule = fit_conformal(np.stack([p, 1 - p], axis=1), np.zeros(19, int), classes=("Normal", "IBM"))
    >>> rule.kind, bool(rule.thresholds[0] == 1 - p[1]), rule.note
    ('marginal', True, 'One threshold for all classes: IBM has 0 calibration patients, fewer than 9.')
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if probabilities.shape != (len(targets), len(classes)):
        raise ValueError(f"{len(targets)} patients of {len(classes)} classes, but shape {probabilities.shape}")
    targets = np.asarray(targets, dtype=np.intp)
    scores = 1 - np.asarray(probabilities, dtype=np.float64)[np.arange(len(targets)), targets]
    counts = np.bincount(targets, minlength=len(classes)).tolist()
    needed = patients_needed(alpha)
    short = [f"{name} has {count}" for name, count in zip(classes, counts, strict=True) if count < needed]
    if kind == "class_conditional" or (kind == "auto" and not short):
        thresholds = tuple(conformal_quantile(scores[targets == k], alpha) for k in range(len(classes)))
        note = f"A threshold for each class: the promise holds within each ({needed} or more calibration patients)."
        if short:
            note = f"A threshold for each class; never excluded: {', '.join(short)} of {needed} calibration patients."
        return ConformalRule("class_conditional", alpha, thresholds, tuple(counts), note)
    common = conformal_quantile(scores, alpha)
    if common is None:
        note = f"Only {len(targets)} calibration patients, fewer than {needed}: no class can be excluded."
    elif short:
        note = f"One threshold for all classes: {', '.join(short)} calibration patients, fewer than {needed}."
    else:
        note = "One threshold for all classes, as asked."
    return ConformalRule("marginal", alpha, (common,) * len(classes), tuple(counts), note)


def coverage_range(patients: int, alpha: float) -> tuple[float, float]:
    """What a model so calibrated truly covers, in nine calibrations of ten.

    The promise is an average over calibrations. With few calibration patients one calibration may fall well short:
    coverage follows a beta distribution (Vovk 2012, proposition 2a; Angelopoulos & Bates 2021, section 3.2).

    Examples
    --------
    >>> [round(x, 2) for x in coverage_range(12, 0.1)], [round(x, 2) for x in coverage_range(1000, 0.1)]
    ([0.78, 1.0], [0.88, 0.92])
    """
    missed = math.floor(round((patients + 1) * alpha, 9))
    if missed == 0:
        return 1.0, 1.0
    lo, hi = beta.ppf([0.05, 0.95], patients + 1 - missed, missed)
    return float(lo), float(hi)
