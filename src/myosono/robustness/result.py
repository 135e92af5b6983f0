"""What a stress test found: rows of figures, as CSV and JSON hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from myosono.evaluation import Estimate
from myosono.robustness.held_out import Standing

FORMAT = 1
STRESS_LEVELS = ("image", "patient")
STRESS_METRICS = ("accuracy", "balanced_accuracy", "auc", "ece", "nll")
"""``auc`` is the macro average of one-vs-rest AUCs; ``ece`` and ``nll`` (nats) are better when smaller."""


@dataclass(frozen=True)
class StressedModel:
    """A model under test, and what is known of its patients."""

    name: str
    sha256: str
    warnings: tuple[str, ...]
    standing: Standing
    statement: str


@dataclass(frozen=True)
class StressRow:
    """One figure of one model at one strength.

    Attributes
    ----------
    units
        Images or patients behind it; a person of two classes counts once for each.
    refused
        Share of images that a reading abstains from, or of patients none of whose images is read; they are scored all
        the same, so that models and strengths compare.
    doubted
        Share of images that are darker or brighter than the model learned from, and are said to be, or of patients who
        abstain since most of theirs are.
    estimate
        The figure, with its 95 % interval over patients.
    change
        Against the unchanged images, in the same draws of patients.
    difference
        The first model minus this one, in the same draws; None for the first.
    """

    model: str
    degradation: str
    strength: float
    unchanged: bool
    level: str
    metric: str
    units: int
    refused: float
    doubted: float
    estimate: Estimate
    change: Estimate
    difference: Estimate | None

    def to_row(self) -> dict[str, Any]:
        """Flat, for CSV; numbers to six digits, None where there is none."""
        estimates = ("estimate", "change", "difference")
        row: dict[str, Any] = {key: value for key, value in asdict(self).items() if key not in estimates}
        row["refused"], row["doubted"] = round(self.refused, 6), round(self.doubted, 6)
        empty = Estimate(None)
        for name, found in (("", self.estimate), ("change", self.change), ("difference", self.difference or empty)):
            stem = f"{name}_" if name else ""
            row[name or "value"] = _rounded(found.value)
            row[f"{stem}lo"], row[f"{stem}hi"] = _rounded(found.lo), _rounded(found.hi)
        return row


@dataclass(frozen=True)
class StressResult:
    """A finished stress test.

    Attributes
    ----------
    cohort, simulated
        Name of the cohort, and whether it is simulated.
    images, patients
        Held-out images and patients used.
    limit
        Most images of a patient, or None.
    models
        The model under test first.
    degradations
        Name, title, unit, meaning and strengths of each.
    """

    cohort: str
    content_hash: str
    simulated: bool
    images: int
    patients: int
    limit: int | None
    resamples: int
    seed: int
    classes: tuple[str, ...]
    models: tuple[StressedModel, ...]
    degradations: tuple[dict[str, Any], ...]
    rows: tuple[StressRow, ...]
    created: str
    versions: dict[str, str]
    command: str = ""

    def select(self, **wanted: object) -> Iterator[StressRow]:
        """Rows whose attributes have the wanted values, in order of strength."""
        for row in self.rows:
            if all(getattr(row, key) == value for key, value in wanted.items()):
                yield row

    def worst(self, model: str, degradation: str, level: str, metric: str) -> StressRow:
        """The strength, other than the neutral one, with the largest loss against the unchanged images."""
        wanted = {"model": model, "degradation": degradation, "level": level, "metric": metric, "unchanged": False}
        rows = list(self.select(**wanted))
        sign = 1 if metric in ("ece", "nll") else -1
        return max(rows, key=lambda row: sign * (row.change.value or 0.0))

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dictionary a row, for CSV."""
        return [row.to_row() for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        described = asdict(self)
        described["rows"] = self.to_rows()
        return {"format": FORMAT, **described}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
