"""The change record: figures over all images and patients, and the ones that moved by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from myosono.reading.result import Probabilities

REFUSED = "refused"
"""Stands for the missing class of an image that a reader refuses, where figures are counted by class."""


@dataclass(frozen=True)
class ImageChange:
    """One image through both model files; ``before`` and ``after`` are the classes given, None where it is refused."""

    name: str
    patient_id: str
    target: str | None
    before: str | None
    after: str | None
    max_logit_difference: float
    probabilities_before: Probabilities
    probabilities_after: Probabilities

    @property
    def moved(self) -> bool:
        """Whether the decision changed: the class, or whether the image is refused."""
        return self.before != self.after

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "patient_id": self.patient_id,
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "max_logit_difference": self.max_logit_difference,
        }


@dataclass(frozen=True)
class PatientChange:
    """One patient through both; ``before`` and ``after`` are what a reader is told: a diagnosis, several, or none."""

    patient_id: str
    target: str | None
    before: str
    after: str
    probabilities_before: Probabilities
    probabilities_after: Probabilities

    @property
    def moved(self) -> bool:
        """Whether a reader is told something else."""
        return self.before != self.after

    @property
    def max_probability_difference(self) -> float:
        """Largest change of a pooled probability; infinite if only one file could classify the patient."""
        return _largest(self.probabilities_before, self.probabilities_after)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        difference = self.max_probability_difference
        return {
            "patient_id": self.patient_id,
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "max_probability_difference": difference if np.isfinite(difference) else None,
            "probabilities_before": self.probabilities_before,
            "probabilities_after": self.probabilities_after,
        }


@dataclass(frozen=True)
class ClassChange:
    """The images of one class: its true images where the truth is known, else those that ``before`` decided so.

    Where the truth is unknown, those that ``before`` refused stand together as :data:`REFUSED`.

    Attributes
    ----------
    images, moved
        How many, and how many changed their decision.
    right_before, right_after
        Rightly decided; None where the truth is unknown.
    mean_probability_change
        Mean change of the probability of this class; None of the refused.
    """

    name: str
    images: int
    moved: int
    right_before: int | None
    right_after: int | None
    mean_probability_change: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class ChangeRecord:
    """Two versions of a model beside each other.

    Attributes
    ----------
    before, after
        Name, version, hash, training data and warnings of each.
    classes
        Of both.
    metadata
        What the files say differently of themselves: name to ``(before, after)``.
    images, patients
        All that were compared.
    failed
        Files that could not be read: path and reason.
    left_out
        Images of a cohort that were not compared, by their label: the models' task has no class for it.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    classes: tuple[str, ...]
    metadata: dict[str, tuple[Any, Any]]
    images: tuple[ImageChange, ...]
    patients: tuple[PatientChange, ...]
    failed: tuple[tuple[str, str], ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def max_logit_difference(self) -> float | None:
        """Over all images and classes; None without images."""
        return max((image.max_logit_difference for image in self.images), default=None)

    @property
    def image_agreement(self) -> float | None:
        """Share of images with the same decision, a refusal being one; None without images."""
        return _kept(self.images)

    @property
    def patient_agreement(self) -> float | None:
        """Share of patients for whom a reader is told the same; None without patients."""
        return _kept(self.patients)

    @property
    def moved_images(self) -> tuple[ImageChange, ...]:
        """Whose decision changed, the largest difference first."""
        return tuple(sorted((i for i in self.images if i.moved), key=lambda i: (-i.max_logit_difference, i.name)))

    @property
    def moved_patients(self) -> tuple[PatientChange, ...]:
        """Of whom a reader is told something else."""
        return tuple(patient for patient in self.patients if patient.moved)

    def by_class(self) -> tuple[ClassChange, ...]:
        """Class by class, in the order of the classes, the refused last; those without images are left out."""
        return tuple(
            _class_change(name, members)
            for name in (*self.classes, REFUSED)
            if (members := [image for image in self.images if (image.target or image.before or REFUSED) == name])
        )

    def transitions(self) -> dict[str, dict[str, int]]:
        """Images by decision before and after: a class, or :data:`REFUSED`."""
        decisions = (*self.classes, REFUSED)
        table = {before: dict.fromkeys(decisions, 0) for before in decisions}
        for image in self.images:
            table[image.before or REFUSED][image.after or REFUSED] += 1
        return table

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``myosono verify``: figures, and by name only what moved."""
        return {
            "before": self.before,
            "after": self.after,
            "metadata": {name: {"before": a, "after": b} for name, (a, b) in self.metadata.items()},
            "images": len(self.images),
            "patients": len(self.patients),
            "failed": [{"path": path, "error": error} for path, error in self.failed],
            "left_out": self.left_out,
            "max_logit_difference": self.max_logit_difference,
            "image_agreement": self.image_agreement,
            "patient_agreement": self.patient_agreement,
            "classes": [change.to_dict() for change in self.by_class()],
            "transitions": self.transitions(),
            "moved_images": [image.to_dict() for image in self.moved_images],
            "moved_patients": [patient.to_dict() for patient in self.moved_patients],
        }


def _class_change(name: str, images: Sequence[ImageChange]) -> ClassChange:
    known = all(image.target is not None for image in images)
    change = [image.probabilities_after[name] - image.probabilities_before[name] for image in images if name != REFUSED]
    return ClassChange(
        name=name,
        images=len(images),
        moved=sum(image.moved for image in images),
        right_before=sum(image.before == name for image in images) if known else None,
        right_after=sum(image.after == name for image in images) if known else None,
        mean_probability_change=float(np.mean(change)) if change else None,
    )


def _kept(items: Sequence[ImageChange] | Sequence[PatientChange]) -> float | None:
    return float(np.mean([not item.moved for item in items])) if items else None


def _largest(before: Probabilities, after: Probabilities) -> float:
    if before.keys() != after.keys():
        return float("inf")
    return max((abs(before[name] - after[name]) for name in before), default=0.0)
