"""What the other rooms see of a picture: a grey image, where it came from, and where its B-mode area lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GreyImage = NDArray[np.uint8]
"""Grey pixels, uint8, shape ``(height, width)``; 0 is black."""


@dataclass(frozen=True)
class Area:
    """A rectangle within an image, in pixels, half-open: rows ``top:bottom``, columns ``left:right``.

    Examples
    --------
    >>> area = Area(10, 20, 110, 220)
    >>> area.height, area.width, area.size
    (100, 200, 20000)
    >>> area.iou(Area(10, 20, 110, 120))
    0.5
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return max(0, self.bottom - self.top)

    @property
    def width(self) -> int:
        """Columns."""
        return max(0, self.right - self.left)

    @property
    def size(self) -> int:
        """Pixels."""
        return self.height * self.width

    def clamped(self, height: int, width: int) -> Area:
        """The part of this rectangle that lies within an image of ``height`` by ``width`` pixels."""
        top, bottom = (min(max(edge, 0), height) for edge in (self.top, self.bottom))
        left, right = (min(max(edge, 0), width) for edge in (self.left, self.right))
        return Area(top, left, bottom, right)

    def iou(self, other: Area) -> float:
        """Intersection over union with another rectangle, from 0 (apart) to 1 (equal)."""
        shared = Area(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        ).size
        union = self.size + other.size - shared
        return shared / union if union else 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One grey picture of a study.

    Attributes
    ----------
    pixels
        Grey image, uint8, shape ``(height, width)``; the whole screen when the source is a screen capture.
    source
        Path of the file, as text.
    sha256
        SHA-256 of the file's bytes; the frames of one file share it.
    frame_index, frame_count
        Position within the file, from 0, and how many frames the file announces.
    spacing_mm
        Pixel spacing ``(row, column)`` in millimetres, or None if the file does not tell.
    device
        Manufacturer and model, or None.
    patient_id
        From the DICOM header, else from a file name ``<patient>_<site>_<shot>``, else None.
    muscle, side
        Codes of `myosono.anatomy` (``"D"``, ``"R"``), from the DICOM header, else from such a file name, or None.
    area
        The B-mode rectangle within ``pixels``.
    warnings
        What was doubtful and how it was resolved, one line each.
    colour_share
        Share of the pixels of the area that carry colour of their own, from 0 to 1 (Doppler, photographs).
    rgb
        The frame as a screen shows it, uint8 ``(height, width, 3)``; only where it was asked for and has colours.
    """

    pixels: GreyImage
    source: str
    sha256: str
    frame_index: int
    frame_count: int
    spacing_mm: tuple[float, float] | None
    device: str | None
    patient_id: str | None
    muscle: str | None
    side: str | None
    area: Area
    warnings: tuple[str, ...] = ()
    colour_share: float = 0.0
    rgb: NDArray[np.uint8] | None = None

    @property
    def b_mode(self) -> GreyImage:
        """The pixels of the B-mode area: a view, uint8, shape ``(area.height, area.width)``."""
        return self.pixels[self.area.top : self.area.bottom, self.area.left : self.area.right]

    @property
    def name(self) -> str:
        """The source, with the frame number from 1 where there are several."""
        return self.source if self.frame_count == 1 else f"{self.source}#{self.frame_index + 1}"
