"""What every decoder hands to `myosono.imaging.read`: facts about the file, and its frames, lazily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.imaging.frame import Area, GreyImage


@dataclass(frozen=True)
class Picture:
    """One decoded frame, what was doubtful about it, and which of its pixels are coloured (None: none)."""

    pixels: GreyImage
    warnings: tuple[str, ...] = ()
    coloured: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Decoded:
    """A decoder's answer.

    Attributes
    ----------
    frame_count
        How many frames the file announces.
    pictures
        The frames in order, decoded one by one as they are asked for.
    one_layout
        True if all frames share one screen layout (a cine), so that one B-mode area serves them all.
    area
        The B-mode rectangle that the header gives, or None: look at the pixels.
    """

    frame_count: int
    pictures: Iterator[Picture]
    one_layout: bool = False
    area: Area | None = None
    spacing_mm: tuple[float, float] | None = None
    device: str | None = None
    patient_id: str | None = None
    side: str | None = None
    warnings: tuple[str, ...] = ()
