"""One call from entries to scores, paired differences against the flagship, and corrected p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from myosono.errors import PredictionsError
from myosono.evaluation.comparison.auc_tests import auc_tests
from myosono.evaluation.comparison.entry import Condition, Contender, Entry, Grouped
from myosono.evaluation.comparison.multiplicity import holm
from myosono.evaluation.comparison.paired import (
    Drawn,
    PatientDraws,
    bootstrap_p_value,
    least_p_value,
    mean_drawn,
    shared_rows,
)
from myosono.evaluation.comparison.result import (
    COMPARED_LEVELS,
    Comparison,
    ModelScore,
    PairedDifference,
)
from myosono.evaluation.intervals import Estimate, percentile_interval, share_interval
from myosono.evaluation.result import METRICS
from myosono.progress import track

RESAMPLES = 2000
FLAGSHIP = "stanet_s"


def compare(
    entries: Sequence[Entry],
    *,
    flagship: Contender | str = FLAGSHIP,
    pools: Sequence[Sequence[Condition]] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    quiet: bool = True,
) -> Comparison:
    """Score every contender, and set it against the flagship on the same patients, images and seeds.

    Parameters
    ----------
    entries
        One per contender, condition and seed.
    flagship
        The contender that the others are compared with; of a model's name, its first entry from scratch.
    pools
        Sets of conditions whose differences are also averaged; a contender that lacks one of them is left out of it.
    resamples
        Draws of patients behind intervals and p-values; 0 gives neither.
    seed
        Same seed, same draws.
    quiet
        Show no progress.

    Raises
    ------
    PredictionsError
        If there are no entries, the flagship has none, or a contender has two for one condition and seed.
    """
    if isinstance(flagship, str):
        flagship = _named(entries, flagship)
    leaking = {entry.condition for entry in entries if entry.condition.leaks}
    entries = [
        replace(entry, condition=replace(entry.condition, leaks=entry.condition in leaking)) for entry in entries
    ]
    grouped = _grouped(entries, flagship)
    draws = PatientDraws(entries, resamples=resamples, seed=seed)
    conditions = list(dict.fromkeys(condition for _, condition in grouped))
    scores = [
        _score(part, draws) for part in track(list(grouped.values()), "scoring", total=len(grouped), disable=quiet)
    ]
    others = [one for one in dict.fromkeys(contender for contender, _ in grouped) if one != flagship]
    paired: list[PairedDifference] = []
    for pool in track([*((one,) for one in conditions), *map(tuple, pools)], "pairing", disable=quiet):
        found = [row for other in others for row in _paired(grouped, flagship, other, pool, draws)]
        paired += _corrected(found)
    delong = [test for condition in conditions for test in auc_tests(grouped, flagship, others, condition)]
    return Comparison(flagship, tuple(scores), tuple(paired), tuple(delong), resamples, seed)


def _named(entries: Sequence[Entry], model: str) -> Contender:
    mine = (one.contender for one in entries if one.contender.model == model and not one.contender.pretrained)
    return next(mine, Contender(model))


def _grouped(entries: Sequence[Entry], flagship: Contender) -> Grouped:
    grouped: dict[tuple[Contender, Condition], dict[int, Entry]] = {}
    for entry in entries:
        seeds = grouped.setdefault((entry.contender, entry.condition), {})
        if entry.seed in seeds:
            label = f"{entry.contender.label(recipe=True)}, {entry.condition.label()}, seed {entry.seed}"
            raise PredictionsError(f"two sets of predictions for {label}")
        seeds[entry.seed] = entry
    if not any(contender == flagship for contender, _ in grouped):
        raise PredictionsError(
            f"no predictions of the flagship {flagship.label(recipe=True)}", remedy="Name another with --flagship"
        )
    return grouped


def _score(seeds: Mapping[int, Entry], draws: PatientDraws) -> ModelScore:
    parts = [draws.figures(entry) for entry in seeds.values()]
    tables = [entry.images.table for entry in seeds.values()]
    patients = len(set().union(*(table["patient_id"] for table in tables)))
    metrics = {
        level: {
            metric: _scored(mean_drawn([part[level, metric] for part in parts]), metric, patients) for metric in METRICS
        }
        for level in COMPARED_LEVELS
    }
    first = next(iter(seeds.values()))
    return ModelScore(
        contender=first.contender,
        condition=first.condition,
        seeds=tuple(sorted(seeds)),
        folds=min(table["fold"].nunique() for table in tables),
        of_folds=first.of_folds,
        images=max(len(table) for table in tables),
        patients=patients,
        metrics=metrics,
    )


def _scored(drawn: Drawn, metric: str, patients: int) -> Estimate:
    """As `myosono evaluate` gives it: a share on which all draws agree has its exact bound."""
    if metric == "accuracy" and len(drawn.samples) and not np.isnan(drawn.value):
        return share_interval(drawn.value, drawn.samples, patients)
    return _estimate(drawn)


def _estimate(drawn: Drawn) -> Estimate:
    if not len(drawn.samples):
        return Estimate(None if np.isnan(drawn.value) else drawn.value)
    return percentile_interval(drawn.value, drawn.samples)


def _paired(
    grouped: Grouped, flagship: Contender, other: Contender, pool: tuple[Condition, ...], draws: PatientDraws
) -> list[PairedDifference]:
    differences: dict[tuple[str, str], list[Drawn]] = {}
    seeds: set[int] = set()
    patients = images = cells = 0
    people: set[tuple[str, str]] = set()  # two tasks of a cohort have the same patients
    for condition in pool:
        mine, theirs = grouped.get((flagship, condition), {}), grouped.get((other, condition), {})
        pairs = [(mine[seed], theirs[seed], seed) for seed in sorted(set(mine) & set(theirs))]
        per_seed = []
        tested: set[str] = set()
        shown: set[str] = set()
        for ours, entry, seed in pairs:
            kept, kept_theirs = shared_rows(ours, entry)
            if kept.any():
                per_seed.append((draws.figures(ours, kept), draws.figures(entry, kept_theirs)))
                common = ours.images.table[kept]
                tested |= set(common["patient_id"])
                shown |= set(common["image_id"])
                cells += common["fold"].nunique()
                seeds.add(seed)
        if not per_seed:
            return []
        people |= {(condition.cohort, patient) for patient in tested}
        patients, images = patients + len(tested), images + len(shown)
        for key in per_seed[0][0]:
            differences.setdefault(key, []).append(mean_drawn([b[key] - a[key] for a, b in per_seed]))
    return [
        _difference(other, pool, key, mean_drawn(parts), tuple(sorted(seeds)), (patients, images, cells), len(people))
        for key, parts in differences.items()
    ]


def _difference(
    other: Contender,
    pool: tuple[Condition, ...],
    key: tuple[str, str],
    drawn: Drawn,
    seeds: tuple[int, ...],
    counts: tuple[int, int, int],
    people: int,
) -> PairedDifference:
    p = None if np.isnan(drawn.value) else bootstrap_p_value(drawn.samples)
    p = None if p is None else max(p, least_p_value(people))
    return PairedDifference(other, pool, key[0], key[1], _estimate(drawn), p, None, seeds, *counts)


def _corrected(found: list[PairedDifference]) -> list[PairedDifference]:
    """Holm over the contenders, for each level and metric on its own."""
    corrected: dict[int, float] = {}
    for family in dict.fromkeys((one.level, one.metric) for one in found):
        members = [place for place, one in enumerate(found) if (one.level, one.metric) == family and one.p is not None]
        values = [found[place].p or 0.0 for place in members]
        corrected.update(zip(members, holm(values).tolist(), strict=True))
    return [replace(one, p_holm=corrected.get(place)) for place, one in enumerate(found)]
