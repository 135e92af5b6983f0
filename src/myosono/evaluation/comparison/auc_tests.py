"""DeLong's test on patients, for each class against the rest (of two classes, the second)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.comparison.delong import DelongTest, delong_test
from myosono.evaluation.comparison.entry import Condition, Contender, Entry, Grouped
from myosono.evaluation.comparison.multiplicity import holm
from myosono.evaluation.comparison.paired import shared_rows
from myosono.evaluation.comparison.result import AucTest
from myosono.evaluation.intervals import Estimate

Floats = NDArray[np.float64]


def auc_tests(
    grouped: Grouped, flagship: Contender, others: Sequence[Contender], condition: Condition
) -> list[AucTest]:
    """Every class and contender that can be tested, Holm-corrected over the contenders of a class."""
    mine = grouped.get((flagship, condition), {})
    if not mine:
        return []
    classes = next(iter(mine.values())).images.classes
    pairs = {other: _patients(mine, grouped.get((other, condition), {})) for other in others}
    found = []
    # Of two classes one AUC is the other's mirror image.
    for k in range(len(classes)) if len(classes) > 2 else (1,):
        known = [(other, test) for other in others if (test := _test(pairs[other], k)) is not None]
        adjusted = holm([test.p for _, test in known])
        found += [
            AucTest(other, condition, classes[k], Estimate(test.difference, test.lo, test.hi), test.p, float(p_holm))
            for (other, test), p_holm in zip(known, adjusted, strict=True)
        ]
    return found


class _Pairs:
    """Patients that both tested in every seed that both have: targets ``(patients,)``, probabilities by seed."""

    def __init__(self, targets: NDArray[np.intp], ours: list[Floats], theirs: list[Floats]) -> None:
        self.targets, self.ours, self.theirs = targets, ours, theirs


def _patients(mine: Mapping[int, Entry], theirs: Mapping[int, Entry]) -> _Pairs | None:
    tables = []
    for seed in sorted(set(mine) & set(theirs)):
        kept, kept_theirs = shared_rows(mine[seed], theirs[seed])
        if kept.any():
            units = mine[seed].units("patient", kept), theirs[seed].units("patient", kept_theirs)
            tables.append([dict(zip(part.patients, part.probabilities, strict=True)) for part in units])
            target_of = dict(zip(units[0].patients, units[0].targets.tolist(), strict=True))
    if not tables:
        return None
    common = sorted(set.intersection(*(set(ours) for ours, _ in tables)))
    if not common:
        return None
    return _Pairs(
        np.array([target_of[name] for name in common], dtype=np.intp),
        [np.stack([ours[name] for name in common]) for ours, _ in tables],
        [np.stack([other[name] for name in common]) for _, other in tables],
    )


def _test(pairs: _Pairs | None, k: int) -> DelongTest | None:
    if pairs is None:
        return None
    positive = pairs.targets == k
    if positive.sum() < 2 or (~positive).sum() < 2:
        return None
    return delong_test(positive, [part[:, k] for part in pairs.ours], [part[:, k] for part in pairs.theirs])
