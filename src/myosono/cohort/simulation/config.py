"""What to simulate: one typed, frozen model that refuses keys it does not know."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from myosono.anatomy import DIAGNOSES
from myosono.errors import RecipeError

REAL_PATIENTS = {"Normal": 33, "IBM": 19, "PM": 14, "DM": 14}
"""Patients per diagnosis in the public set (Burlina et al. 2017)."""


class SimulationConfig(BaseModel):
    """Size, seed and speed of a simulated cohort.

    Parameters
    ----------
    patients
        Number of patients per diagnosis; the diagnoses are those of :data:`myosono.anatomy.DIAGNOSES`.
    images_per_patient
        Images of each patient, 1 to 56. ``None`` copies the structure of the public set: seven muscles, two sides,
        about three shots, 27 to 43 images a patient, 3,214 in all with the default ``patients``.
    scale
        Size of the pixel grid relative to the real crops (498 rows; 320, 447 or 477 columns). The field of view
        in millimetres does not change.
    seed
        Everything follows from it: on one machine and versions of the libraries the same seed gives the same bytes,
        with any number of workers.
    workers
        Processes that render; does not change the result.

    Raises
    ------
    RecipeError
        For an unknown key, an unknown diagnosis or a value out of range.

    Examples
    --------
    >>> SimulationConfig().patients
    {'Normal': 33, 'IBM': 19, 'PM': 14, 'DM': 14}
    >>> SimulationConfig(patient=3)
    Traceback (most recent call last):
    ...
    myosono.errors.RecipeError: simulation: patient: Extra inputs are not permitted
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    patients: dict[str, int] = Field(default_factory=lambda: dict(REAL_PATIENTS))
    images_per_patient: int | None = Field(default=None, ge=1, le=56)
    scale: float = Field(default=1.0, ge=0.2, le=1.0)
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=2, ge=1, le=256)

    def __init__(self, **values: Any) -> None:
        """Check ``values``; see the class."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            message = str(first["msg"]).removeprefix("Value error, ")
            raise RecipeError(f"simulation: {place}: {message}") from None

    @field_validator("patients")
    @classmethod
    def _known_diagnoses(cls, patients: dict[str, int]) -> dict[str, int]:
        unknown = [name for name in patients if name not in DIAGNOSES]
        if unknown:
            raise ValueError(f"unknown diagnosis {unknown[0]!r}; known are {', '.join(DIAGNOSES)}")
        if any(count < 0 for count in patients.values()) or not any(patients.values()):
            raise ValueError("counts must not be negative, and not all zero")
        return {name: patients[name] for name in DIAGNOSES if patients.get(name)}

    @classmethod
    def small(
        cls, patients: int = 24, *, images_per_patient: int = 14, scale: float = 0.5, seed: int = 0, workers: int = 2
    ) -> Self:
        """A cohort for demonstrations and tests: few patients, the same number per diagnosis as far as it goes.

        Parameters
        ----------
        patients
            Patients in all; a remainder goes to the first diagnoses.
        images_per_patient, scale, seed, workers
            As in the class.

        Examples
        --------
        >>> SimulationConfig.small(10).patients
        {'Normal': 3, 'IBM': 3, 'PM': 2, 'DM': 2}
        """
        share, rest = divmod(patients, len(DIAGNOSES))
        counts = {name: share + (number < rest) for number, name in enumerate(DIAGNOSES)}
        return cls(patients=counts, images_per_patient=images_per_patient, scale=scale, seed=seed, workers=workers)
