"""The gates of every export: what must hold before a model file is left on the disk, and by how much it held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from myosono.export.parity import MAX_LOGIT_DIFFERENCE, MAX_PROBABILITY_DIFFERENCE, Parity

MIN_INT8_AGREEMENT = 0.99
"""Smallest share of held-out test images on which int8 decides as fp32 does."""

MAX_INT8_LOSS = 0.005
"""Largest change of patient-level balanced accuracy from fp32 to int8."""


@dataclass(frozen=True)
class Gate:
    """One measured condition.

    Attributes
    ----------
    name
        What was compared, and with what.
    value
        What was found.
    bound, limit
        ``"at most"`` or ``"at least"``, and the number.
    count, unit
        What it was found on: so many images or patients.
    """

    name: str
    value: float
    bound: Literal["at most", "at least"]
    limit: float
    count: int
    unit: str

    @property
    def passed(self) -> bool:
        """Whether it holds; a value that is no number never does."""
        return self.value <= self.limit if self.bound == "at most" else self.value >= self.limit

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} ({self.bound} {self.limit:g}, {self.count} {self.unit})"

    def to_dict(self) -> dict[str, Any]:
        """For the artefact's metadata and ``--json``."""
        return {
            "name": self.name,
            "value": self.value,
            "bound": self.bound,
            "limit": self.limit,
            "count": self.count,
            "unit": self.unit,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class Int8Agreement:
    """int8 beside fp32 on the held-out test images of one fold.

    Attributes
    ----------
    images, patients
        How many.
    argmax_agreement
        Share of images with the same decision.
    max_logit_difference, mean_logit_difference
        Over images and classes.
    balanced_accuracy_fp32, balanced_accuracy_int8
        Of patients, by the pooled calibrated probabilities.
    """

    images: int
    patients: int
    argmax_agreement: float
    max_logit_difference: float
    mean_logit_difference: float
    balanced_accuracy_fp32: float
    balanced_accuracy_int8: float


def parity_gates(parity: Parity) -> tuple[Gate, ...]:
    """The fp32 file against the trained network in torch, and against what the run predicted with it."""
    return (
        Gate(
            "fp32 against torch: max |Δlogit|",
            parity.max_logit_difference, "at most", MAX_LOGIT_DIFFERENCE, parity.images, "images",
        ),
        Gate(
            "fp32 against torch: equal decisions",
            parity.argmax_agreement, "at least", 1.0, parity.images, "images",
        ),
        Gate(
            "fp32 against the run's own predictions: max |Δprobability|",
            parity.max_probability_difference, "at most", MAX_PROBABILITY_DIFFERENCE, parity.predicted_images, "images",
        ),
    )  # fmt: skip


def int8_gates(found: Int8Agreement) -> tuple[Gate, ...]:
    """The int8 file against the fp32 file that it was made from."""
    loss = abs(found.balanced_accuracy_int8 - found.balanced_accuracy_fp32)
    return (
        Gate(
            "int8 against fp32: equal decisions",
            found.argmax_agreement, "at least", MIN_INT8_AGREEMENT, found.images, "test images",
        ),
        Gate(
            "int8 against fp32: change of patient-level balanced accuracy",
            loss, "at most", MAX_INT8_LOSS, found.patients, "test patients",
        ),
    )  # fmt: skip


def failing(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Those that do not hold."""
    return tuple(gate for gate in gates if not gate.passed)
