"""What every decoder hands to `myosono.imaging.read`: facts about the file, and its frames, lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myosono.errors import ImageError
from myosono.imaging.frame import Area, GreyImage

ColourImage = NDArray[np.uint8]
"""RGB pixels, uint8, shape ``(height, width, 3)``."""


@dataclass(frozen=True)
class Picture:
    """One decoded frame, what was doubtful about it, and which of its pixels are coloured (None: none).

    ``rgb`` gives the frame as a screen shows it, made only when it is asked for; None of a grey source.
    """

    pixels: GreyImage
    warnings: tuple[str, ...] = ()
    coloured: NDArray[np.bool_] | None = None
    rgb: Callable[[], ColourImage] | None = None


def checked_frames(wanted: tuple[int, ...] | None, count: int, path: Path) -> Sequence[int]:
    """Numbers of the frames to decode: all, or those wanted.

    Raises
    ------
    ImageError
        If the file has no such frame.
    """
    missing = [index for index in wanted or () if not 0 <= index < count]
    if missing:
        raise ImageError(f"has no frame {missing[0]}: it holds {count}, counted from 0", path=path)
    return range(count) if wanted is None else wanted


@dataclass(frozen=True)
class Decoded:
    """A decoder's answer.

    Attributes
    ----------
    frame_count
        How many frames the file announces.
    pictures
        The frames in order (or those that were wanted), decoded one by one as they are asked for.
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
    muscle: str | None = None
    side: str | None = None
    warnings: tuple[str, ...] = ()
