"""95 % intervals by resampling patients.

Images of one patient resemble each other, so an interval that resamples images is too narrow. Here whole patients are
drawn with replacement, each with all its images (cluster bootstrap, percentile interval; Field & Welsh 2007,
J R Stat Soc B 69:369). Resamples are not stratified: how many patients of each class a study has is itself uncertain.

Where all draws agree (no patient is read wrongly, or there is only one), they do not tell how far a figure may move. A
share of patients or of their images that is 0 or 1 then gets the exact bound for so many patients. Balanced accuracy,
F1, AUC and differences have no such bound: they get no interval rather than one of no width.

A resample may hold no patient of some class. What is undefined there (that class's sensitivity, say) is NaN and left
out of the percentiles; if that befalls half of the resamples or more, no interval is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEW_PATIENTS = 20
_MINIMUM_DEFINED = 0.5
_TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; None where it is undefined."""

    value: float | None
    lo: float | None = None
    hi: float | None = None


class PatientBootstrap:
    """Draws of patients with replacement, shared by every metric of an evaluation.

    Parameters
    ----------
    patients
        Distinct patients.
    resamples
        Number of draws; 0 gives no intervals.
    seed
        Same seed, same draws.

    Attributes
    ----------
    patients, seed
        As given; the patients distinct and sorted.
    counts
        How often each draw holds each patient, shape ``(resamples, patients)``.
    """

    def __init__(self, patients: Sequence[str], *, resamples: int = 1000, seed: int = 0) -> None:
        """Draw once, for every metric."""
        self.seed = seed
        self.patients = tuple(sorted(set(patients)))  # the order of rows must not matter
        self._place = {patient: number for number, patient in enumerate(self.patients)}
        n = len(self.patients)
        counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
        self.counts: NDArray[np.float64] = counts.astype(np.float64)

    def weights(self, patients: Sequence[str]) -> NDArray[np.float64]:
        """Weight of each unit in each draw, given the units' patients; shape ``(resamples, units)``."""
        return self.counts[:, [self._place[patient] for patient in patients]]


def percentile_interval(value: float, samples: NDArray[np.float64]) -> Estimate:
    """The value with the range of the central 95 % of its resampled values; without one where these all agree.

    Parameters
    ----------
    value
        Point estimate; NaN gives an undefined estimate.
    samples
        Resampled values, shape ``(resamples,)``, NaN where undefined.

    Examples
    --------
    >>> percentile_interval(20.0, np.arange(41.0))
    Estimate(value=20.0, lo=1.0, hi=39.0)
    >>> percentile_interval(1.0, np.ones(40))
    Estimate(value=1.0, lo=None, hi=None)
    """
    if np.isnan(value):
        return Estimate(None)
    if not _mostly_defined(samples):
        return Estimate(float(value))
    lo, hi = np.quantile(samples[~np.isnan(samples)], _TAILS)
    return Estimate(float(value)) if _agree(lo, hi) else Estimate(float(value), float(lo), float(hi))


def _mostly_defined(samples: NDArray[np.float64]) -> bool:
    return bool(np.count_nonzero(~np.isnan(samples)) > _MINIMUM_DEFINED * len(samples))


def _agree(lo: float, hi: float) -> bool:
    return bool(np.isclose(lo, hi, rtol=0, atol=1e-12))


def share_interval(value: float, samples: NDArray[np.float64], patients: int) -> Estimate:
    """As `percentile_interval`, for a share of units; with the exact bound where all draws agree on 0 or 1.

    Parameters
    ----------
    value, samples
        As there.
    patients
        Patients behind the units.

    Examples
    --------
    >>> share_interval(1.0, np.ones(50), 6), share_interval(0.5, np.full(50, 0.5), 1)
    (Estimate(value=1.0, lo=0.5407418735600996, hi=1.0), Estimate(value=0.5, lo=None, hi=None))
    """
    found = percentile_interval(value, samples)
    without_width = found.lo is None and found.value in (0.0, 1.0)
    return exact_share(float(value), patients) if without_width and _mostly_defined(samples) else found


def exact_share(value: float, patients: int) -> Estimate:
    """A share that is 0 or 1 of so many patients, with its exact 95 % bound (Clopper & Pearson 1934)."""
    bound = float((1 - _TAILS[1]) ** (1 / patients))
    return Estimate(value, bound, 1.0) if value else Estimate(value, 0.0, 1 - bound)


def share_estimate(holds: NDArray[np.bool_], weights: NDArray[np.float64] | None, patients: int) -> Estimate:
    """How many units something holds for, with its 95 % interval.

    Where it holds for all or for none, every draw agrees, which is no certainty: the exact bound for as many patients
    is given instead (`exact_share`).

    Parameters
    ----------
    holds
        Shape ``(units,)``; without units the share is undefined.
    weights
        Weight of each unit in each draw, shape ``(resamples, units)``; None or no draws give no interval.
    patients
        Patients behind the units.

    Examples
    --------
    >>> share_estimate(np.ones(10, bool), np.ones((5, 10)), 10)
    Estimate(value=1.0, lo=0.6915028921812392, hi=1.0)
    """
    if not len(holds):
        return Estimate(None)
    value = float(holds.mean())
    if weights is None or not len(weights):
        return Estimate(value)
    if value in (0.0, 1.0):
        return exact_share(value, patients)
    total = weights.sum(axis=1)
    drawn = np.full(len(weights), np.nan)
    np.divide(weights @ holds, total, out=drawn, where=total > 0)
    return percentile_interval(value, drawn)
