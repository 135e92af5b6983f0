"""What a comparison found: frozen dataclasses that go to JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from myosono.evaluation.comparison.entry import Condition, Contender
from myosono.evaluation.intervals import Estimate
from myosono.evaluation.result import METRICS, plain

COMPARED_LEVELS = ("image", "patient")


@dataclass(frozen=True)
class ModelScore:
    """One contender under one condition, seeds averaged.

    Attributes
    ----------
    folds, of_folds
        Finished folds of the seed that has fewest, and folds of the split.
    metrics
        By level (``image``, ``patient``), then by metric.
    """

    contender: Contender
    condition: Condition
    seeds: tuple[int, ...]
    folds: int
    of_folds: int
    images: int
    patients: int
    metrics: Mapping[str, Mapping[str, Estimate]]

    @property
    def complete(self) -> bool:
        """Whether every fold is there."""
        return self.folds == self.of_folds


@dataclass(frozen=True)
class PairedDifference:
    """A contender minus the flagship on the same patients, images and seeds; negative where the flagship is better.

    Attributes
    ----------
    conditions
        One, or those that were pooled (their differences averaged).
    p, p_holm
        Two-sided, of the paired bootstrap, and no smaller than so few patients allow; None without resamples.
        ``p_holm`` is corrected over the contenders.
    seeds, patients, images, cells
        What both have: seeds, distinct patients and images, and folds of each seed; summed over conditions.
    """

    contender: Contender
    conditions: tuple[Condition, ...]
    level: str
    metric: str
    difference: Estimate
    p: float | None
    p_holm: float | None
    seeds: tuple[int, ...]
    patients: int
    images: int
    cells: int


@dataclass(frozen=True)
class AucTest:
    """DeLong's test of one class against the rest, on patients: contender minus flagship, seeds averaged."""

    contender: Contender
    condition: Condition
    positive: str
    difference: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Everything that :func:`myosono.evaluation.comparison.compare` found.

    Attributes
    ----------
    paired
        Without the flagship itself.
    delong
        For classes with at least two patients and as many others.
    """

    flagship: Contender
    scores: tuple[ModelScore, ...]
    paired: tuple[PairedDifference, ...]
    delong: tuple[AucTest, ...]
    resamples: int
    seed: int

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """In the order in which they were given."""
        return tuple(dict.fromkeys(score.condition for score in self.scores))

    @property
    def several_recipes(self) -> bool:
        """Whether labels need the recipe."""
        return len({score.contender.recipe for score in self.scores}) > 1

    def differences(self, conditions: Sequence[Condition], level: str, metric: str) -> list[PairedDifference]:
        """The paired differences of one pool of conditions, level and metric."""
        wanted = (tuple(conditions), level, metric)
        return [one for one in self.paired if (one.conditions, one.level, one.metric) == wanted]

    def shared_patients(self, score: ModelScore) -> int | None:
        """Patients behind a contender's differences, if they are fewer than it or the flagship was scored on."""
        pairs = self.differences([score.condition], "image", "auc")
        shared = next((one.patients for one in pairs if one.contender == score.contender), score.patients)
        return shared if shared < self.most_patients(score) else None

    def most_patients(self, score: ModelScore) -> int:
        """Patients that the contender or the flagship was scored on, whichever are more."""
        mine = (one for one in self.scores if (one.contender, one.condition) == (self.flagship, score.condition))
        return max(score.patients, *(one.patients for one in mine), 0)

    def same_units(self, condition: Condition) -> bool:
        """Whether all contenders were scored on the same patients and as many images: else no rank is due."""
        scores = [score for score in self.scores if score.condition == condition]
        counts = {(score.patients, score.images) for score in scores}
        return len(counts) == 1 and all(self.shared_patients(score) is None for score in scores)

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, text and numbers, ready for ``json.dumps(..., allow_nan=False)``."""
        found: dict[str, Any] = plain(self)
        return found

    def to_rows(self) -> list[dict[str, Any]]:
        """A flat row per contender and condition, for CSV."""
        return [_row(score, self) for score in self.scores]


def _row(score: ModelScore, found: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cohort": score.condition.cohort,
        "task": score.condition.task,
        "split": score.condition.split,
        "leaks": score.condition.leaks,
        "model": score.contender.model,
        "pretrained": score.contender.pretrained,
        "recipe": score.contender.recipe,
        "folds": score.folds,
        "of_folds": score.of_folds,
        "seeds": " ".join(map(str, score.seeds)),
        "images": score.images,
        "patients": score.patients,
    }
    for level in COMPARED_LEVELS:
        for metric in METRICS:
            name, estimate = f"{level}_{metric}", score.metrics[level][metric]
            row |= {name: estimate.value, f"{name}_lo": estimate.lo, f"{name}_hi": estimate.hi}
    for level in COMPARED_LEVELS:
        mine = [d for d in found.differences((score.condition,), level, "auc") if d.contender == score.contender]
        one = mine[0] if mine else None
        name = f"{level}_auc_difference"
        row |= {
            name: one.difference.value if one else None,
            f"{name}_lo": one.difference.lo if one else None,
            f"{name}_hi": one.difference.hi if one else None,
            f"{name}_p": one.p if one else None,
            f"{name}_p_holm": one.p_holm if one else None,
        }
    return row
