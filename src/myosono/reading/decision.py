"""From a patient's pooled probabilities to what the reading says: one diagnosis, several, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from myosono.pooling import apply_temperature, in_prediction_set

UNCALIBRATED_WARNING = "older model file: patient probabilities are not calibrated, expect them to be too cautious"

_FIRST_WITH_PATIENT_TEMPERATURE = 2


@dataclass(frozen=True)
class Evidence:
    """What a patient's probabilities rest on.

    Attributes
    ----------
    images
        Usable images; frames of one file are one.
    unseen
        Those of them that are darker or brighter than all that the model learned from (`GreyRange`).
    """

    images: int
    unseen: int = 0

    @property
    def mostly_unseen(self) -> bool:
        """Whether more than half are."""
        return 2 * self.unseen > self.images


@dataclass(frozen=True)
class PatientRule:
    """How a model file turns pooled image probabilities into a patient's.

    Attributes
    ----------
    classes
        Class names, in the order of the probabilities.
    temperature
        Of patients, applied after pooling (evaluation fits it on validation patients).
    thresholds
        Conformal, by class; None admits the class always.
    alpha
        Promised miss rate of the sets.
    patients
        Calibration patients behind both.
    fewest_images
        Of any calibration patient; 0 if unknown.
    warnings
        What must be said with every result.
    """

    classes: tuple[str, ...]
    temperature: float
    thresholds: tuple[float | None, ...]
    alpha: float
    patients: int
    fewest_images: int
    warnings: tuple[str, ...]

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self:
        """The rule that a model file states; format 1 has no patient temperature, which is then 1, with a warning.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the file's calibration is incomplete or of another form.
        """
        classes, conformal = tuple(metadata["classes"]), metadata["conformal"]
        older = metadata["format"] < _FIRST_WITH_PATIENT_TEMPERATURE
        calibration = {} if older else metadata["calibration"]
        stated = [conformal["threshold"]] * len(classes) if older else [conformal["thresholds"][k] for k in classes]
        rule = cls(
            classes=classes,
            temperature=1.0 if older else float(metadata["patient_temperature"]),
            thresholds=tuple(None if threshold is None else float(threshold) for threshold in stated),
            alpha=float(conformal["alpha"]),
            patients=int(conformal["patients"]),
            fewest_images=0 if older else int(calibration["images_per_patient"]["fewest"]),
            warnings=(UNCALIBRATED_WARNING,) if older else tuple(calibration["warnings"]),
        )
        if not (0 < rule.temperature < float("inf") and 0 < rule.alpha < 1):
            raise ValueError(f"temperature {rule.temperature}, miss rate {rule.alpha}")
        return rule

    @property
    def confidence(self) -> str:
        """The promised coverage, for print."""
        return f"{1 - self.alpha:.0%}"

    def calibrate(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Patient probabilities from means of image probabilities, shape ``(classes,)``."""
        return np.asarray(apply_temperature(np.asarray(pooled)[None], self.temperature)[0], dtype=np.float64)

    def members(self, probabilities: NDArray[np.floating], evidence: Evidence) -> tuple[str, ...]:
        """Diagnoses that cannot be excluded: all, if the images are too few or mostly of grey levels never learned.

        The promise of the sets holds for patients like those of the calibration; one image is no such patient, and
        neither are images of another gain.

        Parameters
        ----------
        probabilities
            The patient's, calibrated, shape ``(classes,)``.
        evidence
            What they rest on.
        """
        if self._unfit(evidence):
            return self.classes
        inside = in_prediction_set(np.asarray(probabilities)[None], self.thresholds)[0]
        return tuple(name for name, held in zip(self.classes, inside.tolist(), strict=True) if held)

    def reasons(self, members: tuple[str, ...], evidence: Evidence) -> tuple[str, ...]:
        """Why there is no single diagnosis.

        Parameters
        ----------
        members
            The patient's set.
        evidence
            What it rests on.
        """
        if unfit := self._unfit(evidence):
            return (unfit,)
        if all(threshold is None for threshold in self.thresholds):
            return (f"only {self.patients} calibration patients: too few to exclude any diagnosis",)
        if not members:
            return (f"unlike the calibration patients: no diagnosis reaches {self.confidence} confidence",)
        if len(members) == len(self.classes):
            return (f"no diagnosis can be excluded at {self.confidence} confidence",)
        return (f"cannot be told apart at {self.confidence} confidence",) if len(members) > 1 else ()

    def _unfit(self, evidence: Evidence) -> str | None:
        """Why nothing can be concluded from such images, or None."""
        if evidence.images < self.fewest_images:
            return (
                f"{evidence.images} image{'s' if evidence.images != 1 else ''}, where every calibration patient had "
                f"{self.fewest_images} or more: no diagnosis can be excluded"
            )
        if evidence.mostly_unseen:
            return (
                f"{evidence.unseen} of {evidence.images} image{'s' if evidence.images != 1 else ''} darker or brighter "
                "than the model learned from: no diagnosis can be excluded"
            )
        return None
