"""Draws of patients shared by all contenders, and the p-value of a paired difference.

In each draw both networks are scored on the same resampled patients, each with all its images, so that what is hard
about a patient falls on both. Seeds are averaged within a draw: the interval is over patients, not over seeds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.comparison.entry import Entry, pairing_columns
from myosono.evaluation.comparison.result import COMPARED_LEVELS
from myosono.evaluation.intervals import PatientBootstrap
from myosono.evaluation.levels import Level
from myosono.evaluation.metrics import score
from myosono.evaluation.result import METRICS

Floats = NDArray[np.float64]
_LEVELS: tuple[Level, ...] = ("image", "patient")
assert _LEVELS == COMPARED_LEVELS


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure and what it becomes in each draw, shape ``(resamples,)``; NaN where undefined."""

    value: float
    samples: Floats

    def __sub__(self, other: Drawn) -> Drawn:
        return Drawn(self.value - other.value, self.samples - other.samples)


Figures = Mapping[tuple[str, str], Drawn]
"""By level and metric."""


def mean_drawn(parts: Sequence[Drawn]) -> Drawn:
    """The mean of figures, draw by draw."""
    samples = np.mean([part.samples for part in parts], axis=0)
    return Drawn(float(np.mean([part.value for part in parts])), np.asarray(samples, dtype=np.float64))


class PatientDraws:
    """Scores entries on draws of patients, one set of draws per cohort, independent between cohorts.

    Parameters
    ----------
    entries
        All that will be compared: a cohort's draws are over all patients that any of them tests.
    resamples, seed
        As of :class:`~myosono.evaluation.intervals.PatientBootstrap`.
    """

    def __init__(self, entries: Iterable[Entry], *, resamples: int, seed: int) -> None:
        patients: dict[str, set[str]] = {}
        for entry in entries:
            patients.setdefault(entry.condition.cohort, set()).update(entry.images.table["patient_id"])
        self._of_cohort = {
            name: PatientBootstrap(sorted(members), resamples=resamples, seed=_cohort_seed(seed, name))
            for name, members in patients.items()
        }
        self._known: dict[tuple[int, bytes], Figures] = {}
        self._held: list[Entry] = []

    def figures(self, entry: Entry, kept: NDArray[np.bool_] | None = None) -> Figures:
        """All metrics of both levels, on all rows or on some; computed once."""
        whole = kept is None or bool(kept.all())
        key = (id(entry), b"" if whole or kept is None else kept.tobytes())
        if key not in self._known:
            self._held.append(entry)  # an id must not be given to another object
            self._known[key] = self._score(entry, None if whole else kept)
        return self._known[key]

    def _score(self, entry: Entry, kept: NDArray[np.bool_] | None) -> Figures:
        bootstrap = self._of_cohort[entry.condition.cohort]
        found: dict[tuple[str, str], Drawn] = {}
        for level in _LEVELS:
            units = entry.units(level, kept)
            point = score(units.targets, units.probabilities)
            drawn = score(units.targets, units.probabilities, bootstrap.weights(units.patients))
            for metric in METRICS:
                found[level, metric] = Drawn(float(getattr(point, metric)[0]), getattr(drawn, metric))
        return found


def _cohort_seed(seed: int, cohort: str) -> int:
    return int(np.random.SeedSequence([seed, zlib.crc32(cohort.encode())]).generate_state(1)[0])


def shared_rows(first: Entry, second: Entry) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows of each the other has too, by `pairing_columns`: a fold that one lacks counts for neither."""
    columns = pairing_columns(first.images, second.images)
    tables = (entry.images.table[columns] for entry in (first, second))
    mine, others = (list(table.itertuples(index=False, name=None)) for table in tables)
    known, wanted = set(others), set(mine)
    return (
        np.array([key in known for key in mine], dtype=np.bool_),
        np.array([key in wanted for key in others], dtype=np.bool_),
    )


def bootstrap_p_value(samples: Floats) -> float | None:
    """Two-sided p-value of "no difference": twice the smaller tail of the resampled differences beyond 0.

    It is below 0.05 where the 95 % percentile interval leaves 0 out. The observed sample counts as a draw, so that it
    is never 0 (Davison & Hinkley 1997, eq. 4.11). Few patients need `least_p_value` beside it.

    Parameters
    ----------
    samples
        Shape ``(resamples,)``; NaN are left out.

    Examples
    --------
    >>> bootstrap_p_value(np.zeros(99)), bootstrap_p_value(np.ones(99))
    (1.0, 0.02)
    """
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return None
    smaller = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(defined) + 1))


def least_p_value(patients: int) -> float:
    """Smallest two-sided p-value that so many patients can support: ``2 ** (1 - patients)``.

    Under no difference the two names could be swapped for each patient, which gives ``2 ** patients`` results equally
    likely; an exact test (Fisher 1935, The Design of Experiments, section 21) cannot go below two of them. Resampled
    patients, and a normal approximation, know no such floor: of three patients who agree, all draws agree.

    Examples
    --------
    >>> least_p_value(2), least_p_value(5), least_p_value(11)
    (0.5, 0.0625, 0.0009765625)
    """
    return 2.0 ** (1 - patients)
