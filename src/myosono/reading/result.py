"""What a reading says: frozen dataclasses; ``to_dict`` is the JSON of command line, server and DICOM SR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from myosono.quantification import ImageQuantities, StudyQuantities

Probabilities = dict[str, float]


@dataclass(frozen=True)
class ModelFacts:
    """The model behind a reading, and what must be said with every result."""

    name: str
    version: str
    sha256: str
    trained_on: str
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "trained_on": self.trained_on,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class ImageReading:
    """One frame.

    Attributes
    ----------
    frame
        Frame number within the file, from 0.
    area
        B-mode rectangle that was read: top, left, bottom, right.
    screen
        Height and width of the whole picture; None if it is not known.
    abstained, reasons
        Whether no class is given, and why; reasons also hold doubts that do not stop the reading.
    class_maps, shrinkage
        For drawing; not part of the JSON.
    quantities
        Measures of the muscle region, if asked for (`myosono.reading.quantified`).
    """

    path: str
    frame: int
    patient_id: str
    muscle: str | None
    side: str | None
    probabilities: Probabilities
    label: str | None
    abstained: bool
    reasons: tuple[str, ...]
    area: tuple[int, int, int, int]
    spacing_mm: tuple[float, float] | None
    device: str | None
    shrinkage_fraction: float
    class_maps: NDArray[np.float32] = field(repr=False, compare=False)
    shrinkage: NDArray[np.float32] = field(repr=False, compare=False)
    pixels: NDArray[np.uint8] = field(repr=False, compare=False)
    quantities: ImageQuantities | None = field(default=None, repr=False, compare=False)
    screen: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the maps."""
        plain: dict[str, Any] = {
            "path": self.path,
            "frame": self.frame,
            "patient_id": self.patient_id,
            "muscle": self.muscle,
            "side": self.side,
            "probabilities": self.probabilities,
            "label": self.label,
            "abstained": self.abstained,
            "reasons": list(self.reasons),
            "area": list(self.area),
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "device": self.device,
            "shrinkage_fraction": self.shrinkage_fraction,
        }
        return plain if self.quantities is None else plain | {"quantities": self.quantities.to_dict()}


@dataclass(frozen=True)
class FailedImage:
    """A file, or the rest of one, that could not be read."""

    path: str
    error: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"path": self.path, "error": self.error}


@dataclass(frozen=True)
class MuscleReading:
    """The images of one muscle on one side, pooled."""

    patient_id: str
    muscle: str | None
    side: str | None
    probabilities: Probabilities
    label: str
    images: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "patient_id": self.patient_id,
            "muscle": self.muscle,
            "side": self.side,
            "probabilities": self.probabilities,
            "label": self.label,
            "images": self.images,
        }


@dataclass(frozen=True)
class PatientReading:
    """One patient, pooled over all images, with the set of diagnoses that remain possible.

    Attributes
    ----------
    probabilities
        Calibrated as a patient's; images and muscles have theirs calibrated as images'.
    label, abstained
        The diagnosis, if a single one remains; ``abstained`` is True otherwise.
    prediction_set
        Diagnoses that cannot be excluded at the model's confidence.
    reasons
        Why there is no single diagnosis, and doubts that do not stop the reading.
    """

    patient_id: str
    probabilities: Probabilities
    label: str | None
    prediction_set: tuple[str, ...]
    abstained: bool
    reasons: tuple[str, ...]
    images: int

    @property
    def answer(self) -> str:
        """What to say of the patient: ``IBM``; ``IBM or PM``; or ``abstains``, when none or all remain."""
        if 0 < len(self.prediction_set) < len(self.probabilities):
            return " or ".join(self.prediction_set)
        return "abstains"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "patient_id": self.patient_id,
            "probabilities": self.probabilities,
            "label": self.label,
            "answer": self.answer,
            "prediction_set": list(self.prediction_set),
            "abstained": self.abstained,
            "reasons": list(self.reasons),
            "images": self.images,
        }


@dataclass(frozen=True)
class Reading:
    """A study, read.

    Attributes
    ----------
    images
        In the order given.
    failed
        What could not be read, and why.
    skipped
        Files of a folder that are no images: ``(path, reason)``.
    quantification
        Sites, z-scores and protocol completeness, if asked for.
    """

    model: ModelFacts
    images: tuple[ImageReading, ...]
    failed: tuple[FailedImage, ...]
    muscles: tuple[MuscleReading, ...]
    patients: tuple[PatientReading, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    quantification: StudyQuantities | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract: failed files stand among the images, as ``{"path", "error"}``."""
        plain: dict[str, Any] = {
            "model": self.model.to_dict(),
            "images": [image.to_dict() for image in self.images] + [failure.to_dict() for failure in self.failed],
            "muscles": [muscle.to_dict() for muscle in self.muscles],
            "patients": [patient.to_dict() for patient in self.patients],
            "skipped": [{"path": path, "reason": reason} for path, reason in self.skipped],
        }
        return plain if self.quantification is None else plain | {"quantification": self.quantification.to_dict()}
