"""What every reader gives: a stream of images with what is known about them, and the sources it could not read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from myosono.imaging import Frame

GreyImage = NDArray[np.uint8]

DIAGNOSIS_CODES: Mapping[str, str] = {"N": "Normal", "I": "IBM", "P": "PM", "D": "DM"}
"""Diagnosis codes of the Johns Hopkins set and of Uçar's tables."""


@dataclass(frozen=True)
class Shot:
    """One image on its way into a cohort.

    Attributes
    ----------
    image_id, patient_id, exam_id, muscle, side, label, device
        As in the cohort table; ``""`` where unknown.
    pixels
        Grey levels, uint8 ``(height, width)``, cropped; ``None`` where only metadata is read.
    optional
        Values of optional columns (age in years, ...), where known.
    """

    image_id: str
    patient_id: str
    label: str
    exam_id: str = ""
    muscle: str = ""
    side: str = ""
    device: str = ""
    pixels: GreyImage | None = None
    optional: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A source that could not be read, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """What the user may say about a source; each reader uses what applies to it.

    Attributes
    ----------
    metadata_only
        Read no pixels.
    crop
        Crop to the B-mode area where an image is a full-screen capture.
    columns
        Cohort column → column of the manifest.
    patient_pattern
        Regular expression on the path below the class folder; its group ``patient`` (else its first) is the patient.
    labels
        CSV with ``patient_id,label``, for sources that carry no diagnosis.
    exclude_labels
        Labels to leave out.
    patients
        ``source``: patients as the source names them. ``near-duplicate``: images that look alike form one group.
        ``image``: each image stands alone.
    """

    metadata_only: bool = False
    crop: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    patient_pattern: str | None = None
    labels: Path | None = None
    exclude_labels: tuple[str, ...] = ()
    patients: str = "source"

    @property
    def patients_named(self) -> bool:
        """Whether the source must name the patients."""
        return self.patients == "source"


@dataclass
class Source:
    """What a reader found: facts about the whole, and the stream of its images.

    ``total`` counts what the stream will try, for the progress bar. ``close`` releases the files behind the stream.
    """

    name: str
    total: int
    shots: Iterator[Shot | Failure]
    licence: str = "not stated"
    notes: list[str] = field(default_factory=list)
    fold_files: list[Path] = field(default_factory=list)
    close: Callable[[], None] = lambda: None


class Reader(Protocol):
    """One kind of source."""

    name: str
    summary: str

    def detect(self, path: Path) -> str | None:
        """Why this reader fits ``path``, or ``None`` if it does not. Looks, and reads little."""
        ...

    def read(self, path: Path, options: ReadOptions) -> Source:
        """Open the source.

        Raises
        ------
        CohortError
            The source as a whole is damaged, incomplete, or says too little.
        """
        ...


def shot_of(row: Mapping[Any, Any], device: str, pixels: GreyImage | None, optional: Mapping[str, float | str]) -> Shot:
    """A shot from a row of a table that has the cohort's columns."""
    return Shot(
        image_id=str(row["image_id"]),
        patient_id=str(row["patient_id"]),
        label=str(row["label"]),
        exam_id=str(row["exam_id"]),
        muscle=str(row["muscle"]),
        side=str(row["side"]),
        device=device,
        pixels=pixels,
        optional=optional,
    )


def pixels_of(frame: Frame, options: ReadOptions) -> GreyImage:
    """The part of a frame that goes into the cohort."""
    return np.ascontiguousarray(frame.b_mode if options.crop else frame.pixels)


def clip_of(name: str, frame: Frame) -> dict[str, str]:
    """The optional column ``clip``: the name of the file whose frames these are; nothing of a file with one image."""
    return {"clip": name} if frame.frame_count > 1 else {}
