"""Ultrasound regions and pixel spacing of a DICOM header (PS3.3 C.8.5.5, C.10.7.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from myosono.imaging.frame import Area

_SPATIAL_2D = 1  # Region Spatial Format, PS3.3 C.8.5.5.1.1
_TISSUE = 1  # Region Data Type, PS3.3 C.8.5.5.1.2
_COLOUR_FLOW = 2
_CENTIMETRES = 3  # Physical Units, PS3.3 C.8.5.5.1.15
_MM_PER_CM = 10.0
# Less of a region inside its image than this, and the image must have been rescaled since: the region's
# coordinates then mean nothing. More, and it was only cut.
_TRUSTED_SHARE = 0.5
_SMALLEST_EDGE = 16
# Some devices write the first pixel after the region where the standard wants its last.
_OFF_BY_ONE = 1


@dataclass(frozen=True)
class Geometry:
    """B-mode rectangle and pixel spacing, each None where the header gives none that can be believed."""

    area: Area | None = None
    spacing_mm: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()


def read_geometry(dataset: Dataset, height: int, width: int) -> Geometry:
    """Find the B-mode rectangle and the pixel spacing in a header.

    Parameters
    ----------
    dataset
        The header.
    height, width
        Of the image, in pixels.

    Returns
    -------
    Geometry
        From the largest two-dimensional tissue region; its spacing is ``(row, column)`` in millimetres. Without
        such a region, spacing comes from PixelSpacing or ImagerPixelSpacing.
    """
    regions = [region for region in dataset.get("SequenceOfUltrasoundRegions") or () if _is_tissue(region)]
    found = [(region, area) for region in regions if (area := _declared(region)) is not None]
    if not found:
        note = ("the ultrasound regions of the header have no usable coordinates",) if regions else ()
        return Geometry(None, _plain_spacing(dataset), note)
    region, declared = max(found, key=lambda pair: pair[1].size)
    notes = [f"{len(found)} tissue regions: only the largest is taken"] if len(found) > 1 else []
    area = declared.clamped(height, width)
    where = f"rows {declared.top}-{declared.bottom}, columns {declared.left}-{declared.right}"
    if min(area.height, area.width) < _SMALLEST_EDGE or area.size < _TRUSTED_SHARE * declared.size:
        notes.append(
            f"the header's ultrasound region ({where}) lies mostly outside the image of {width} x {height}: "
            "region and spacing are ignored"
        )
        return Geometry(None, None, tuple(notes))
    if (
        declared.bottom > height + _OFF_BY_ONE
        or declared.right > width + _OFF_BY_ONE
        or min(declared.top, declared.left) < 0
    ):
        notes.append(f"the header's ultrasound region ({where}) exceeds the image of {width} x {height}: clamped")
    return Geometry(area, _region_spacing(region) or _plain_spacing(dataset), tuple(notes))


@dataclass(frozen=True)
class UltrasoundRegion:
    """One rectangle of a screen and its scale.

    Attributes
    ----------
    area
        Within the image.
    spacing_mm
        ``(row, column)``, None unless both axes are lengths.
    kind
        ``b-mode`` (tissue), ``doppler`` (flow, in two dimensions), ``other`` (traces, spectra, graphics).
    """

    area: Area
    spacing_mm: tuple[float, float] | None
    kind: str


def read_regions(dataset: Dataset, height: int, width: int) -> tuple[UltrasoundRegion, ...]:
    """Every region of the header that can be believed, in its order, for measuring on the screen.

    Parameters
    ----------
    dataset
        The header.
    height, width
        Of the image, in pixels. A region that lies mostly outside is left out, as in `read_geometry`.
    """
    found = []
    for region in dataset.get("SequenceOfUltrasoundRegions") or ():
        declared = _declared(region)
        if declared is None:
            continue
        area = declared.clamped(height, width)
        if area.size and area.size >= _TRUSTED_SHARE * declared.size:
            found.append(UltrasoundRegion(area, _region_spacing(region), _kind(region)))
    return tuple(found)


def _kind(region: Dataset) -> str:
    if region.get("RegionSpatialFormat") != _SPATIAL_2D:
        return "other"
    return {_TISSUE: "b-mode", _COLOUR_FLOW: "doppler"}.get(region.get("RegionDataType"), "other")


def _is_tissue(region: Dataset) -> bool:
    return bool(region.get("RegionSpatialFormat") == _SPATIAL_2D and region.get("RegionDataType") == _TISSUE)


def _declared(region: Dataset) -> Area | None:
    keywords = ("RegionLocationMinY0", "RegionLocationMinX0", "RegionLocationMaxY1", "RegionLocationMaxX1")
    values = [region.get(keyword) for keyword in keywords]
    if not all(isinstance(value, int) for value in values):
        return None
    top, left, last_row, last_column = values
    # Min and max are both pixels of the region; ours is half-open.
    area = Area(top, left, last_row + 1, last_column + 1)
    return area if area.size else None


def _region_spacing(region: Dataset) -> tuple[float, float] | None:
    units = (region.get("PhysicalUnitsYDirection"), region.get("PhysicalUnitsXDirection"))
    if units != (_CENTIMETRES, _CENTIMETRES):
        return None
    # Deltas may be negative: they then point up or left.
    return _positive(region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX"), scale=_MM_PER_CM)


def _plain_spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        value: Any = dataset.get(keyword)
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
            return _positive(value[0], value[1])
    return None


def _positive(row: Any, column: Any, scale: float = 1.0) -> tuple[float, float] | None:
    try:
        pair = (abs(float(row)) * scale, abs(float(column)) * scale)
    except (TypeError, ValueError):
        return None
    return pair if all(0 < value < 1000 for value in pair) else None
