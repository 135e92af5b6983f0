"""Colour and depth: every pixel format becomes 8-bit grey."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from myosono.imaging.frame import GreyImage

# ITU-R BT.601 luma, the Y of JPEG and of DICOM's YBR_FULL (PS3.3 C.7.6.3.1.2).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Pixels that are converted at once; a large image in one piece would take thirty bytes a pixel.
_BLOCK = 4_000_000


def luma(rgb: NDArray[Any], peak: int = 255) -> GreyImage:
    """Grey of a colour image.

    Parameters
    ----------
    rgb
        Shape ``(height, width, 3)``, values from 0 to ``peak``.
    peak
        The value that means full intensity.

    Returns
    -------
    GreyImage
        uint8, shape ``(height, width)``; an image whose channels are equal keeps its values.
    """
    height, width = rgb.shape[:2]
    rows = max(1, _BLOCK // max(1, width))
    if height <= rows:
        return _luma(rgb, peak)
    return np.concatenate([_luma(rgb[top : top + rows], peak) for top in range(0, height, rows)])


def _luma(rgb: NDArray[Any], peak: int) -> GreyImage:
    if peak == 255 and rgb.dtype == np.uint8:
        red, green, blue = (rgb[..., channel].astype(np.uint32) for channel in range(3))
        return np.asarray((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16, dtype=np.uint8)
    return rounded((rgb.astype(np.float32) @ _LUMA) * np.float32(255.0 / peak))


def rounded(values: NDArray[Any]) -> GreyImage:
    """Nearest uint8, clipped to 0..255; not-a-number becomes 0."""
    return np.asarray(np.rint(np.clip(np.nan_to_num(values, nan=0.0), 0, 255)), dtype=np.uint8)


def scaled(values: NDArray[Any], bits: int) -> GreyImage:
    """Unsigned values of ``bits`` bits, as 8-bit grey: ``2**bits - 1`` becomes 255, and so does what lies above."""
    if bits == 8:
        # A later frame of a cine may go beyond the depth of the first: white, never black again.
        return np.asarray(np.minimum(values, 255), dtype=np.uint8)
    return rounded(values.astype(np.float32) * np.float32(255.0 / (2**bits - 1)))


def used_bits(peak: int, announced: int) -> tuple[int, str | None]:
    """The depth that deep pixels really use.

    Many exporters put 8-, 10- or 12-bit grey into a 16-bit container; scaling by the container's range would turn
    such an image black.

    Parameters
    ----------
    peak
        Greatest value, of all frames that are to stay comparable.
    announced
        Bits of the container.

    Returns
    -------
    (bits, warning)
        ``announced`` and None if more than one sixteenth of its range is used; otherwise the smallest of 8, 10,
        12 and 16 bits that holds the maximum, and a line that says so.
    """
    if announced <= 8 or peak >= 2 ** (announced - 4):
        return announced, None
    bits = next((depth for depth in (8, 10, 12, 16) if peak < 2**depth), announced)
    return bits, f"grey values reach only {peak} of {2**announced - 1}: read as {bits}-bit"
