"""Normal echo intensity of one muscle on one device: a regression on age, sex and side.

Arts et al. 2010 (Muscle Nerve 41:32) found that normal values depend on muscle, age and sex; Burlina et al. 2017 score
patients by their distance from normals. The unit is the patient: shots of a site are averaged first, and the two
sides of one patient do not count as two people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AGE_CENTRE = 50.0
ABSOLUTE_MINIMUM = 3


@dataclass(frozen=True)
class SiteMeasure:
    """Echo intensity of one muscle on one side of one person, averaged over the shots.

    ``age`` in years or None, ``sex`` ``"F"``, ``"M"`` or ``""``, ``side`` ``"L"``, ``"R"`` or ``""``.
    """

    patient_id: str
    muscle: str
    side: str
    device: str
    echo_intensity: float
    age: float | None = None
    sex: str = ""


@dataclass(frozen=True)
class NormalModel:
    """Fitted normals of one muscle on one device.

    Attributes
    ----------
    terms, coefficients
        ``"mean"`` and those of ``"age"`` (years above 50), ``"male"`` and ``"left"`` that the normals could support.
    sd
        Standard deviation between patients about the regression.
    patients, sites
        How many normals, and sides of them.
    age_range
        Youngest and oldest of those whose age is known, None if that is nobody.
    sexes, sides
        Those among the normals, ``""`` for unknown; None in files of versions that did not store them.
    ages
        How many normals have a known age; None in such files.
    """

    muscle: str
    device: str
    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    sd: float
    patients: int
    sites: int
    age_range: tuple[float, float] | None
    sexes: tuple[str, ...] | None = None
    sides: tuple[str, ...] | None = None
    ages: int | None = None

    def expected(self, *, side: str | None, age: float | None, sex: str | None) -> float | str:
        """Expected echo intensity, or the reason why it cannot be told."""
        row = []
        for term in self.terms:
            value = _value(term, side=side or "", age=age, sex=sex or "")
            if value is None:
                return f"needs the {_NEEDS[term]}, which the normals differ by"
            row.append(value)
        return float(np.dot(row, self.coefficients))

    def unadjusted(self, *, side: str | None, age: float | None, sex: str | None) -> list[str]:
        """What must be said with a z-score that the regression does not adjust for age, sex or side."""
        warnings = []
        if age is not None and self.age_range and not self.age_range[0] <= age <= self.age_range[1]:
            youngest, oldest = self.age_range
            end = ": extrapolated" if "age" in self.terms else ""
            warnings.append(f"age {age:g} lies outside the normals' {youngest:g} to {oldest:g}{end}")
        if "age" not in self.terms:
            known = self.ages is not None and self.ages < self.patients
            why = f": known of {self.ages} of {self.patients} normals" if known else ""
            warnings.append(f"not adjusted for age{why}")
        for term, found, own in (("male", self.sexes, sex or ""), ("left", self.sides, side or "")):
            if term not in self.terms and (reason := _why_not(term, found, own)) is not None:
                warnings.append(reason)
        return warnings

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NormalModel:
        """From `to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            If it is none, or holds what no fit gives: another number of terms than coefficients, no spread.
        """
        span = data["age_range"]
        model = cls(
            muscle=str(data["muscle"]),
            device=str(data["device"]),
            terms=tuple(data["terms"]),
            coefficients=tuple(float(value) for value in data["coefficients"]),
            sd=float(data["sd"]),
            patients=int(data["patients"]),
            sites=int(data["sites"]),
            age_range=None if span is None else (float(span[0]), float(span[1])),
            sexes=_texts(data.get("sexes")),
            sides=_texts(data.get("sides")),
            ages=None if data.get("ages") is None else int(data["ages"]),
        )
        if len(model.terms) != len(model.coefficients) or not set(model.terms) <= {"mean", *_NEEDS}:
            raise ValueError(f"terms {model.terms} with {len(model.coefficients)} coefficients")
        if not all(map(math.isfinite, (*model.coefficients, model.sd, *(model.age_range or ())))) or model.sd <= 0:
            raise ValueError(f"coefficients {model.coefficients}, sd {model.sd}")
        return model


_NEEDS = {"age": "age", "male": "sex", "left": "side"}
_MANY = {"F": "women", "M": "men", "L": "left sides", "R": "right sides"}


def _texts(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(str(value) for value in values)


def _why_not(term: str, found: tuple[str, ...] | None, own: str) -> str | None:
    """Why a sex or side is not adjusted for, or None where all normals are of the same as the patient (``own``)."""
    what = f"not adjusted for {_NEEDS[term]}"
    if not found:
        return what
    if "" in found:
        return f"{what}: unknown of some normals"
    if len(found) > 1:
        return what
    if own == found[0]:
        return None
    if own in _MANY:
        return f"no {_MANY[own]} among the normals: {what}"
    return f"{what}: all normals are {_MANY.get(found[0], found[0])}"


def fit_normals(measures: Sequence[SiteMeasure], *, minimum: int) -> NormalModel | str:
    """Fit the normals of one muscle on one device, or tell why they do not suffice.

    A term is used where all normals tell its value and differ in it.

    Parameters
    ----------
    measures
        All of one muscle and one device.
    minimum
        Fewest patients.
    """
    patients = len({item.patient_id for item in measures})
    if patients < max(minimum, ABSOLUTE_MINIMUM):
        return f"{patients} normals, fewer than {max(minimum, ABSOLUTE_MINIMUM)}"
    terms, design = _design(measures)
    if patients <= len(terms):
        return f"{patients} normals cannot fit {len(terms)} terms"
    levels = np.array([item.echo_intensity for item in measures])
    coefficients, *_ = np.linalg.lstsq(design, levels, rcond=None)
    residual = levels - design @ coefficients
    # Degrees of freedom by patients: two sides of one person are no two people.
    sd = float(np.sqrt(np.mean(residual**2) * patients / (patients - len(terms))))
    if sd < 1e-9:
        return "the normals do not differ from each other"
    known_ages = [item.age for item in measures if item.age is not None]
    return NormalModel(
        muscle=measures[0].muscle,
        device=measures[0].device,
        terms=terms,
        coefficients=tuple(float(value) for value in coefficients),
        sd=sd,
        patients=patients,
        sites=len(measures),
        age_range=(min(known_ages), max(known_ages)) if known_ages else None,
        sexes=tuple(sorted({item.sex for item in measures})),
        sides=tuple(sorted({item.side for item in measures})),
        ages=len({item.patient_id for item in measures if item.age is not None}),
    )


def _design(measures: Sequence[SiteMeasure]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    terms, columns = ["mean"], [np.ones(len(measures))]
    for term in ("age", "male", "left"):
        values = [_value(term, side=item.side, age=item.age, sex=item.sex) for item in measures]
        known = [value for value in values if value is not None]
        candidate = np.array([*columns, known]).T if len(known) == len(values) else None
        # A column that the others determine would leave its coefficient to chance.
        if candidate is not None and np.linalg.matrix_rank(candidate) == len(columns) + 1:
            terms.append(term)
            columns.append(np.array(known))
    return tuple(terms), np.stack(columns, axis=1)


def _value(term: str, *, side: str, age: float | None, sex: str) -> float | None:
    if term == "mean":
        return 1.0
    if term == "age":
        return None if age is None else age - _AGE_CENTRE
    if term == "male":
        return {"M": 1.0, "F": 0.0}.get(sex)
    return {"L": 1.0, "R": 0.0}.get(side)
