"""DeLong's test of two correlated AUCs, by the fast algorithm on midranks.

DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; Sun & Xu 2014, IEEE Signal Process Lett 21:1389. The test holds
for independent units. Images of one patient are not, so here it is only applied to patients; the paired bootstrap by
patient serves every level and is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from myosono.evaluation.comparison.paired import least_p_value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DelongTest:
    """AUC of ``second`` minus AUC of ``first``, its standard error, two-sided p-value and 95 % interval.

    Without spread there is no interval: ``lo`` and ``hi`` are None.
    """

    difference: float
    standard_error: float
    p: float
    lo: float | None
    hi: float | None


def placements(positive: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Share of the other side that each unit is ranked rightly against, ties counted half.

    Parameters
    ----------
    positive
        Shape ``(units,)``.
    scores
        Shape ``(units,)``; higher means more like the class.

    Returns
    -------
    of_positives, of_negatives
        Shapes ``(positives,)`` and ``(negatives,)``; the mean of either is the AUC.

    Raises
    ------
    ValueError
        If one side is empty.
    """
    yes, no = scores[positive], scores[~positive]
    if not len(yes) or not len(no):
        raise ValueError("an AUC needs units of both sides")
    # Midranks among all, less those within the own side, count the other side below (Sun & Xu, eq. 10).
    together = rankdata(np.r_[yes, no])
    of_positives = (together[: len(yes)] - rankdata(yes)) / len(no)
    of_negatives = 1 - (together[len(yes) :] - rankdata(no)) / len(yes)
    return np.asarray(of_positives, dtype=np.float64), np.asarray(of_negatives, dtype=np.float64)


def delong_test(positive: NDArray[np.bool_], first: Sequence[Floats], second: Sequence[Floats]) -> DelongTest:
    """Compare two models on the same independent units.

    The p-value is never below what so few units can support (`least_p_value`).

    Parameters
    ----------
    positive
        Shape ``(units,)``.
    first, second
        Scores, shape ``(units,)``, one array per seed. The AUCs of a model's seeds are averaged: a mean of AUCs on the
        same units is as much a U-statistic as one AUC is.

    Raises
    ------
    ValueError
        If there are fewer than two units on either side, which leaves the variance undefined.

    Examples
    --------
    >>> found = delong_test(np.array([1, 1, 0, 0], bool), [np.arange(4.0)], [np.arange(4.0)])
    >>> found.difference, found.p
    (0.0, 1.0)
    """
    if positive.sum() < 2 or (~positive).sum() < 2:
        raise ValueError("DeLong's variance needs two units on each side")
    a, b = _mean_placements(positive, first), _mean_placements(positive, second)
    difference = float(b[0].mean() - a[0].mean())
    variance = sum(float(np.var(y - x, ddof=1)) / len(x) for x, y in zip(a, b, strict=True))
    error = float(np.sqrt(variance))
    least = least_p_value(len(positive))
    if error == 0:
        # Equal placements of all units have no spread to judge a difference by: only their number speaks.
        return DelongTest(difference, 0.0, 1.0 if difference == 0 else least, None, None)
    half = float(norm.ppf(0.975)) * error
    p = max(float(2 * norm.sf(abs(difference) / error)), least)
    return DelongTest(difference, error, p, max(-1.0, difference - half), min(1.0, difference + half))


def _mean_placements(positive: NDArray[np.bool_], scores: Sequence[Floats]) -> tuple[Floats, Floats]:
    parts = [placements(positive, one) for one in scores]
    return np.mean([yes for yes, _ in parts], axis=0), np.mean([no for _, no in parts], axis=0)
