"""Thickness of muscle and of what lies above it, along the beam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myosono.errors import UsageError

CUT_OFF = "the deep border lies at the lower edge of the image: muscle is at least this thick"
NO_SPACING = "pixel spacing unknown: thickness in pixels, not comparable between images"


@dataclass(frozen=True)
class Thickness:
    """A length along depth.

    Attributes
    ----------
    pixels
        Rows.
    mm
        Millimetres, None where the pixel spacing is not known.
    """

    pixels: float
    mm: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"pixels": self.pixels, "mm": self.mm}


def muscle_thickness(mask: NDArray[np.bool_], spacing_mm: tuple[float, float] | None = None) -> Thickness:
    """Distance between the inner edges of the aponeuroses: median over the middle half of the region's columns.

    Parameters
    ----------
    mask
        ``(height, width)``, true in muscle.
    spacing_mm
        ``(row, column)`` spacing in millimetres.

    Raises
    ------
    UsageError
        If the mask is empty, or the spacing not positive.

    Examples
    --------
    >>> mask = np.zeros((50, 40), bool); mask[10:30] = True
    >>> muscle_thickness(mask, (0.1, 0.2))
    Thickness(pixels=20.0, mm=2.0)
    """
    top, bottom = _middle(mask)
    return _in_mm(float(np.median(bottom - top)), spacing_mm)


def subcutaneous_thickness(mask: NDArray[np.bool_], spacing_mm: tuple[float, float] | None = None) -> Thickness:
    """Distance from the upper edge of the image to the muscle, as `muscle_thickness`: skin, fat and gel, if any.

    Raises
    ------
    UsageError
        If the mask is empty, or the spacing not positive.
    """
    top, _ = _middle(mask)
    return _in_mm(float(np.median(top)), spacing_mm)


def cut_off(mask: NDArray[np.bool_]) -> bool:
    """Whether the deep border is out of view in most of the middle columns."""
    _, bottom = _middle(mask)
    return bool(np.median(bottom) >= mask.shape[0])


def _middle(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row of muscle, and first below it, in the middle half of the columns that show any."""
    columns = np.flatnonzero(mask.any(axis=0))
    if columns.size == 0:
        raise UsageError("thickness of an empty region")
    quarter = columns.size // 4
    part = mask[:, columns[quarter : columns.size - quarter]]
    return part.argmax(axis=0), mask.shape[0] - part[::-1].argmax(axis=0)


def _in_mm(pixels: float, spacing_mm: tuple[float, float] | None) -> Thickness:
    if spacing_mm is None:
        return Thickness(pixels, None)
    if spacing_mm[0] <= 0:
        raise UsageError(f"pixel spacing must be positive, not {spacing_mm[0]}")
    return Thickness(pixels, pixels * spacing_mm[0])
