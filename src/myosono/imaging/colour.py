"""Which pixels of a colour image carry colour of their own: Doppler, photographs; not a tint of the whole image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIN_CHROMA = 24.0
_LEVELS = 16
_DARK = 16
_WHOLE = 4_000_000
"""Pixels up to which each is looked at; of larger images every n-th, so that memory stays bounded."""


def coloured_pixels(rgb: NDArray[Any], peak: int = 255) -> NDArray[np.bool_] | None:
    """Mask of coloured pixels, or None if there is none.

    Scanners offer B-mode in sepia or blue; there colour follows grey. So where most of an image is coloured, each pixel
    is compared with the median colour of its grey level.

    Parameters
    ----------
    rgb
        ``(height, width, 3)``, values from 0 to ``peak``.
    peak
        The value that means full intensity.

    Returns
    -------
    mask
        bool ``(height, width)``, or None.
    """
    step = _step(rgb)
    if step > 1:
        return _enlarged(coloured_pixels(rgb[::step, ::step], peak), step, rgb.shape[:2])
    scale = 255 / peak
    red, green, blue = (rgb[..., channel].astype(np.float32) * np.float32(scale) for channel in range(3))
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return coloured(grey, 0.564 * (blue - grey), 0.713 * (red - grey))


def coloured(grey: NDArray[Any], cb: NDArray[Any], cr: NDArray[Any]) -> NDArray[np.bool_] | None:
    """As `coloured_pixels`, from luma 0 to 255 and chroma centred on 0 (ITU-R BT.601), each ``(height, width)``."""
    step = _step(grey)
    if step > 1:
        few = (slice(None, None, step), slice(None, None, step))
        return _enlarged(coloured(grey[few], cb[few], cr[few]), step, grey.shape)
    chromatic = np.hypot(cb, cr) >= _MIN_CHROMA
    if not chromatic.any():
        return None
    lit = grey >= _DARK
    if chromatic[lit].sum() <= lit.sum() / 2:
        return np.asarray(chromatic)
    level = np.clip(grey * (_LEVELS / 256), 0, _LEVELS - 1).astype(np.intp)
    tint = np.zeros((_LEVELS, 2), dtype=np.float32)
    for number in np.unique(level):
        here = level == number
        tint[number] = np.median(cb[here]), np.median(cr[here])
    mask = chromatic & (np.hypot(cb - tint[level, 0], cr - tint[level, 1]) >= _MIN_CHROMA)
    return np.asarray(mask) if mask.any() else None


def _step(image: NDArray[Any]) -> int:
    height, width = image.shape[:2]
    return math.ceil(math.sqrt(height * width / _WHOLE))


def _enlarged(mask: NDArray[np.bool_] | None, step: int, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
