"""`Reference`: normal echo intensity by device and muscle, and z-scores against it.

A z-score across devices mixes the machine with the muscle (Pillen et al. 2009, Muscle Nerve 39:781, needed a
conversion for each pair of machines). So it is refused, unless asked for, and then it says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from myosono.errors import DAMAGED_TABLE, DAMAGED_TEXT, CohortError, UsageError
from myosono.formats import REFERENCE_FORMAT
from myosono.provenance import now, versions
from myosono.quantification.normals import ABSOLUTE_MINIMUM, NormalModel, SiteMeasure, fit_normals

_LEFT_OUT = ("muscle", "device", "reason")
_IMAGE_LEFT_OUT = ("file", "reason")
MINIMUM_NORMALS = 20
"""Fewest normals a muscle and device (CLSI EP28-A3c asks 20 to verify a reference interval, 120 to establish one)."""

SIMULATED_WARNING = "reference from simulated images: not for clinical use"


@dataclass(frozen=True)
class ZScore:
    """How many standard deviations an echo intensity lies above its normals.

    Attributes
    ----------
    z, expected, sd
        None where it could not be told; `reason` says why.
    normals
        Patients behind it.
    warnings
        What must be said with it.
    """

    z: float | None
    expected: float | None = None
    sd: float | None = None
    normals: int = 0
    warnings: tuple[str, ...] = ()
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class Reference:
    """Normal values, fitted from a cohort.

    Attributes
    ----------
    source
        Name of the cohort.
    region
        How its muscle regions were drawn.
    simulated
        Whether its images are.
    minimum
        Fewest normals that a muscle and device needed.
    models
        One for each muscle and device with enough normals.
    left_out
        ``{"muscle", "device", "reason"}`` of the others.
    images_left_out
        ``{"file", "reason"}`` of the images of normals that were not measured.
    notes
        What must be said of the whole.
    """

    source: str
    region: str
    simulated: bool
    minimum: int
    models: tuple[NormalModel, ...]
    left_out: tuple[dict[str, str], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    images_left_out: tuple[dict[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices with normals, sorted."""
        return tuple(sorted({model.device for model in self.models}))

    def z_score(
        self,
        echo_intensity: float,
        *,
        muscle: str | None,
        side: str | None = None,
        age: float | None = None,
        sex: str | None = None,
        device: str | None = None,
        across_devices: bool = False,
    ) -> ZScore:
        """Score an echo intensity (of a site, averaged over its shots).

        Parameters
        ----------
        muscle, side, age, sex, device
            Of the image; those that the normals differ by must be known.
        across_devices
            Compare with the device of most normals where this device has none, and warn.
        """
        known = [model for model in self.models if model.muscle == muscle]
        if not known:
            return ZScore(None, reason=self._no_normals(muscle))
        model = next((model for model in known if device and model.device == device), None)
        warnings = [SIMULATED_WARNING] if self.simulated else []
        if model is None:
            model = max(known, key=lambda candidate: (candidate.patients, candidate.device))
            told = f"measured on {device or 'an unknown device'}, normals on {model.device or 'an unknown device'}"
            if not across_devices:
                return ZScore(None, reason=f"no z-score across devices: {told}")
            warnings.append(f"compared across devices: {told}")
        expected = model.expected(side=side, age=age, sex=sex)
        if isinstance(expected, str):
            return ZScore(None, normals=model.patients, warnings=tuple(warnings), reason=expected)
        warnings += model.unadjusted(side=side, age=age, sex=sex)
        if model.patients < MINIMUM_NORMALS:
            warnings.append(f"only {model.patients} normals; at least {MINIMUM_NORMALS} are advised")
        z = (echo_intensity - expected) / model.sd
        return ZScore(z, expected, model.sd, model.patients, tuple(warnings))

    def _no_normals(self, muscle: str | None) -> str:
        if not muscle:
            return "muscle unknown"
        reasons = sorted({item["reason"] for item in self.left_out if item["muscle"] == muscle})
        return f"no normals of this muscle in the reference{': ' + reasons[0] if reasons else ''}"

    def to_dict(self) -> dict[str, Any]:
        """The content of ``reference.json``."""
        return {
            "format": REFERENCE_FORMAT,
            "measure": "echo intensity, mean grey level 0 to 255",
            "source": self.source,
            "region": self.region,
            "simulated": self.simulated,
            "minimum": self.minimum,
            "models": [model.to_dict() for model in self.models],
            "left_out": [dict(item) for item in self.left_out],
            "images_left_out": [dict(item) for item in self.images_left_out],
            "notes": list(self.notes),
            **self.facts,
        }

    def save(self, path: str | Path) -> Path:
        """Write ``reference.json``."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        target.write_text(text + "\n", encoding="utf-8")
        return target

    @classmethod
    def open(cls, path: str | Path) -> Reference:
        """Read ``reference.json``.

        Raises
        ------
        CohortError
            Missing, damaged, or of another format.
        """
        source = Path(path)
        remedy = "Make one with: myosono reference COHORT --out reference.json"
        try:
            data = json.loads(source.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise CohortError("the reference does not exist", path=source, remedy=remedy) from error
        except DAMAGED_TEXT as error:
            raise CohortError(f"the reference cannot be read: {error}", path=source, remedy=remedy) from error
        if not isinstance(data, dict) or data.get("format") != REFERENCE_FORMAT:
            raise CohortError(f"not a reference of format {REFERENCE_FORMAT}", path=source, remedy=remedy)
        try:
            return cls(
                source=str(data["source"]),
                region=str(data["region"]),
                simulated=bool(data["simulated"]),
                minimum=int(data["minimum"]),
                models=tuple(NormalModel.from_dict(item) for item in data["models"]),
                left_out=tuple({key: str(item[key]) for key in _LEFT_OUT} for item in data["left_out"]),
                facts={key: data[key] for key in ("created", "versions", "cohort_hash") if key in data},
                images_left_out=tuple(
                    {key: str(item[key]) for key in _IMAGE_LEFT_OUT} for item in data.get("images_left_out", ())
                ),
                notes=tuple(str(note) for note in data.get("notes", ())),
            )
        except DAMAGED_TABLE as error:
            raise CohortError(f"the reference is damaged: {error}", path=source, remedy=remedy) from error


def require_minimum(minimum: int) -> None:
    """Refuse fewer normals than a standard deviation needs.

    Raises
    ------
    UsageError
        If ``minimum`` is below 3.
    """
    if minimum < ABSOLUTE_MINIMUM:
        raise UsageError(f"a standard deviation needs at least {ABSOLUTE_MINIMUM} normals, not {minimum}")


def fit_reference(
    measures: Iterable[SiteMeasure],
    *,
    source: str,
    region: str,
    simulated: bool,
    minimum: int = MINIMUM_NORMALS,
    cohort_hash: str = "",
    images_left_out: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> Reference:
    """Fit the normals of each muscle on each device.

    Parameters
    ----------
    measures
        Sites of normals only.
    source, region, simulated, cohort_hash, notes
        For the record.
    images_left_out
        ``(file, reason)`` of the images of normals that were not measured, for the record.
    minimum
        Fewest normals a muscle and device.

    Raises
    ------
    UsageError
        If ``minimum`` is below 3.
    CohortError
        If no muscle has enough normals on any one device.
    """
    require_minimum(minimum)
    groups = _by_muscle_and_device(measures)
    models: list[NormalModel] = []
    left_out: list[dict[str, str]] = []
    for (muscle, device), members in groups.items():
        fitted = fit_normals(members, minimum=minimum)
        if isinstance(fitted, str):
            left_out.append({"muscle": muscle, "device": device, "reason": fitted})
        else:
            models.append(fitted)
    if not models:
        most = max((len({item.patient_id for item in members}) for members in groups.values()), default=0)
        lost = [f"{len(images_left_out)} images were not measured, {': '.join(one)}" for one in images_left_out[:1]]
        raise CohortError(
            "; ".join([f"no muscle has {minimum} normals on one device (at most {most})", *lost]),
            remedy="Add normals, or lower --minimum and say so with every z-score",
        )
    facts = {"created": now(), "versions": versions(), "cohort_hash": cohort_hash}
    lost_images = tuple({"file": file, "reason": reason} for file, reason in images_left_out)
    return Reference(
        source, region, simulated, minimum, tuple(models), tuple(left_out), facts, lost_images, tuple(notes)
    )


def _by_muscle_and_device(measures: Iterable[SiteMeasure]) -> dict[tuple[str, str], list[SiteMeasure]]:
    groups: dict[tuple[str, str], list[SiteMeasure]] = {}
    for item in measures:
        if math.isfinite(item.echo_intensity):
            groups.setdefault((item.muscle, item.device), []).append(item)
    return dict(sorted(groups.items()))
