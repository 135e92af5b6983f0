"""`StudyView`: all that a page, a report or a DICOM object may state of a study, as frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from myosono.hashing import sha256_bytes


@dataclass(frozen=True)
class ScaleRegion:
    """A rectangle of a frame and its millimetre scale (DICOM PS3.3 C.8.5.5, Sequence of Ultrasound Regions).

    Attributes
    ----------
    left, top, right, bottom
        Pixels of the whole frame, half-open.
    mm_per_pixel_x, mm_per_pixel_y
        None where the region is not a length by length (a trace, a spectrum) or states no scale.
    kind
        ``b-mode``, ``doppler``, ``other``.
    """

    left: int
    top: int
    right: int
    bottom: int
    mm_per_pixel_x: float | None
    mm_per_pixel_y: float | None
    kind: str


@dataclass(frozen=True)
class FrameView:
    """One frame of an image, read. ``quantities`` as in `myosono.quantification.ImageQuantities.to_dict`."""

    id: int
    frame: int
    width: int
    height: int
    area: tuple[int, int, int, int]
    regions: tuple[ScaleRegion, ...]
    probabilities: Mapping[str, float]
    label: str | None
    abstained: bool
    reasons: tuple[str, ...]
    quantities: Mapping[str, Any] | None
    shrinkage_fraction: float
    has_maps: bool


@dataclass(frozen=True)
class ImageView:
    """One file. ``muscle`` and ``side`` are codes of `myosono.anatomy`, None where nobody knows."""

    id: int
    name: str
    file: str
    sha256: str
    status: str
    error: str | None
    muscle: str | None
    side: str | None
    sop_instance_uid: str | None
    sop_class_uid: str | None
    series_uid: str | None
    received: datetime
    frames: tuple[FrameView, ...]


@dataclass(frozen=True)
class SiteView:
    """One muscle of one side: pooled probabilities, and the measures of quantification where there are any.

    Attributes
    ----------
    code
        Side and muscle, such as ``RD``; ``""`` gathers images whose site nobody knows.
    z_score
        As in `myosono.quantification.ZScore.to_dict`, or None.
    muscle_thickness_at_least
        Whether the muscle is at least as thick as stated: its deep border is out of view.
    heckmatt_grades
        Who graded it, by name, and how, 1 to 4: of signed readings that hold, oldest first. A draft's is nobody else's
        business.
    """

    code: str
    muscle: str | None
    side: str | None
    images: tuple[int, ...]
    probabilities: Mapping[str, float] | None
    label: str | None
    echo_intensity: float | None
    z_score: Mapping[str, Any] | None
    muscle_thickness_mm: float | None
    subcutaneous_thickness_mm: float | None
    heckmatt_grades: tuple[tuple[str, int], ...]
    muscle_thickness_at_least: bool = False

    @property
    def heckmatt(self) -> int | None:
        """The grade that all who graded it gave; None if there is none, or they differ."""
        grades = {grade for _, grade in self.heckmatt_grades}
        return grades.pop() if len(grades) == 1 else None


@dataclass(frozen=True)
class OpinionView:
    """A physician's reading, draft or signed."""

    id: int
    user: str
    full_name: str
    agrees: bool | None
    diagnosis: str
    heckmatt: Mapping[str, int]
    notes: str
    model_answer: str
    model_sha256: str
    created: datetime
    signed_at: datetime | None
    amends_id: int | None
    amend_reason: str = ""


@dataclass(frozen=True)
class StudyView:
    """One examination.

    Attributes
    ----------
    probabilities, label, answer, prediction_set, abstained, reasons
        The patient-level result as in `myosono.reading.PatientReading`; None or empty until an image is read.
    priority
        1 - P(Normal), None where the classes have no ``Normal`` or nothing was read.
    model
        The reading contract's ``model``: ``name, version, sha256, trained_on, warnings``; ``{}`` before the first
        reading.
    banners
        What must stand on every page and report: simulation-trained, leaking split and the like (the
        model's warnings).
    sites
        All 14 sites of the protocol in its order, with or without images, then one with code ``""`` if an image's site
        is unknown.
    completeness
        As in `myosono.quantification.Completeness.to_dict`, or None.
    opinions
        Oldest first, drafts too; what was signed and nothing amends holds.
    sites_corrected
        When people set the muscle or side of an image, which pools the study anew.
    """

    id: int
    study_uid: str
    source: str
    sender: str
    patient_id: str
    patient_name: str
    patient_sex: str
    patient_birth_date: date | None
    patient_age: float | None
    accession: str
    description: str
    study_date: date | None
    device: str
    arrived: datetime
    updated: datetime
    status: str
    priority: float | None
    classes: tuple[str, ...]
    probabilities: Mapping[str, float] | None
    label: str | None
    answer: str
    prediction_set: tuple[str, ...]
    abstained: bool
    reasons: tuple[str, ...]
    model: Mapping[str, Any]
    banners: tuple[str, ...]
    sites: tuple[SiteView, ...]
    images: tuple[ImageView, ...]
    completeness: Mapping[str, Any] | None
    quantification_notes: tuple[str, ...]
    opinions: tuple[OpinionView, ...]
    sites_corrected: tuple[datetime, ...] = ()

    @property
    def seen(self) -> str:
        """Fingerprint of what a page shows of the model: answer, model, and every image with its state and site."""
        images = [[one.id, one.status, one.muscle, one.side] for one in self.images]
        return sha256_bytes(json.dumps([self.answer, self.model.get("sha256"), sorted(images)]).encode())[:16]

    @property
    def signed(self) -> OpinionView | None:
        """The signed reading that holds, the newest if several physicians signed; None if there is none."""
        return signed_opinion(self.opinions)

    @property
    def held(self) -> tuple[OpinionView, ...]:
        """All signed readings that nothing amends, oldest first: one of each physician who signed."""
        return held_opinions(self.opinions)

    @property
    def replaced(self) -> tuple[OpinionView, ...]:
        """Signed readings that a signed one amends, oldest first."""
        held = self.held
        return tuple(one for one in self.opinions if one.signed_at is not None and one not in held)

    @property
    def differing(self) -> bool:
        """Whether the physicians who signed disagree on the diagnosis."""
        return len({one.diagnosis for one in self.held}) > 1


def held_opinions(opinions: Sequence[OpinionView]) -> tuple[OpinionView, ...]:
    """Of readings, oldest first, the signed ones that no signed one amends."""
    amended = {opinion.amends_id for opinion in opinions if opinion.signed_at is not None}
    return tuple(one for one in opinions if one.signed_at is not None and one.id not in amended)


def signed_opinion(opinions: Sequence[OpinionView]) -> OpinionView | None:
    """The last of `held_opinions`; None if there is none."""
    held = held_opinions(opinions)
    return held[-1] if held else None
