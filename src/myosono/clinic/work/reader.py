"""`StudyReader`: the network, the quantification and the normals that the clinic reads with, opened together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from myosono.clinic.database.models import FrameReading
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work.maps import pack
from myosono.imaging import Area, Frame, read_frames
from myosono.imaging.dicom_regions import read_regions
from myosono.imaging.guard import decoding
from myosono.quantification import Quantifier, Reference
from myosono.reading import Reader, load, quantities_of

ONE_THREAD = 1
"""The clinic shares the computer with its own pages and the DICOM node."""


@dataclass(frozen=True)
class StudyReader:
    """What reads images and pools studies. Make one with `open_reader`.

    Attributes
    ----------
    reference
        Normals for z-scores, None where the settings name none.
    """

    reader: Reader
    quantifier: Quantifier
    reference: Reference | None = None

    @property
    def model_sha256(self) -> str:
        """Hash of the model file."""
        return self.reader.artefact.sha256

    def read(self, path: Path, name: str, *, muscle: str | None, side: str | None) -> Iterator[FrameReading]:
        """Read a stored file frame by frame, so that a long cine needs the memory of one frame.

        Parameters
        ----------
        path
            Where it lies.
        name
            What it was called when it came.
        muscle, side
            What the study says of it; over what the file says.

        Yields
        ------
        FrameReading
            Rows that belong to no image yet.

        Raises
        ------
        ImageError
            When a frame's turn comes that cannot be decoded.
        MissingExtraError
            If it is a video and OpenCV is not installed.
        """
        regions: list[dict[str, Any]] | None = None
        for frame in read_frames(path, self.reader.limits, name=name or None):
            if regions is None:
                regions = scale_regions(path, frame)
            yield self._row(frame, regions, muscle, side)

    def _row(self, frame: Frame, regions: list[dict[str, Any]], muscle: str | None, side: str | None) -> FrameReading:
        said = self.reader.read_frame(frame, muscle=muscle, side=side)
        height, width = frame.pixels.shape
        return FrameReading(
            frame=said.frame,
            muscle=said.muscle,
            side=said.side,
            probabilities=said.probabilities,
            label=said.label,
            abstained=said.abstained,
            reasons=list(said.reasons),
            area=list(said.area),
            width=width,
            height=height,
            regions=regions,
            device=None if said.device is None else said.device[:200],
            shrinkage_fraction=said.shrinkage_fraction,
            quantities=quantities_of(said, self.quantifier).to_dict(),
            maps=pack(said.class_maps, said.shrinkage),
            model_sha256=self.model_sha256,
        )


def open_reader(settings: ClinicSettings) -> StudyReader:
    """Open the model, the region network and the normals that the settings name.

    Raises
    ------
    ArtefactError
        If a model file cannot be used.
    CohortError
        If the reference cannot.
    """
    quantifier = Quantifier(threads=ONE_THREAD)
    quantifier.model  # noqa: B018  opened now: a damaged file is told at the start, and its facts are in every result
    reference = None if settings.reference is None else Reference.open(settings.reference)
    return StudyReader(load(settings.model, threads=ONE_THREAD), quantifier, reference)


def scale_regions(path: Path, frame: Frame) -> list[dict[str, Any]]:
    """The rectangles of a file's frames that have a millimetre scale of their own, as `studies.view.ScaleRegion`.

    From the ultrasound regions of a DICOM header; without them, the B-mode area with the pixel spacing, if there
    is one.
    """
    height, width = frame.pixels.shape
    with path.open("rb") as stream:
        is_dicom = stream.read(132)[128:] == b"DICM"
    if is_dicom:
        with decoding(path, "read the DICOM header", also=(InvalidDicomError, BytesLengthException)):
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=["SequenceOfUltrasoundRegions"])
            found = read_regions(dataset, height, width)
        if found:
            return [_region(region.area, region.spacing_mm, region.kind) for region in found]
    return [] if frame.spacing_mm is None else [_region(frame.area, frame.spacing_mm, "b-mode")]


def _region(area: Area, spacing_mm: tuple[float, float] | None, kind: str) -> dict[str, Any]:
    row, column = spacing_mm if spacing_mm is not None else (None, None)
    return {
        "left": area.left,
        "top": area.top,
        "right": area.right,
        "bottom": area.bottom,
        "mm_per_pixel_x": column,
        "mm_per_pixel_y": row,
        "kind": kind,
    }
