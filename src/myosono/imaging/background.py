"""Which grey levels of a picture are a scanner's background: the flat ones along its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.imaging.components import Mask
from myosono.imaging.frame import GreyImage

_BORDER = 2
# A level that fills less of every side than this is taken for tissue that happens to be dark there.
_SHARE_OF_SIDE = 0.3
# Compression smears a flat background over a few levels; only then is it dangerous to be exact.
_SMEAR = 3
_SHARE_IF_EXACT = 0.9


def background_levels(pixels: GreyImage) -> NDArray[np.bool_]:
    """Mark the grey levels that fill a good part of some side of the picture.

    Parameters
    ----------
    pixels
        Shape ``(height, width)``.

    Returns
    -------
    ndarray of bool, shape (256,)
        All False if no side is flat.
    """
    levels = np.zeros(256, dtype=np.bool_)
    for side in (pixels[:_BORDER], pixels[-_BORDER:], pixels[:, :_BORDER], pixels[:, -_BORDER:]):
        counts = np.bincount(side.ravel(), minlength=256)
        smeared = np.convolve(counts, np.ones(2 * _SMEAR + 1, dtype=np.int64), mode="same")
        for _ in range(3):
            peak = int(np.argmax(np.where(smeared == smeared.max(), counts, -1)))
            low, high = max(0, peak - _SMEAR), min(255, peak + _SMEAR)
            mass = counts[low : high + 1].sum()
            if mass < _SHARE_OF_SIDE * side.size:
                break
            if counts[peak] >= _SHARE_IF_EXACT * mass:
                low = high = peak
            levels[low : high + 1] = True
            counts[max(0, peak - _SMEAR) : peak + _SMEAR + 1] = 0
            smeared = np.convolve(counts, np.ones(2 * _SMEAR + 1, dtype=np.int64), mode="same")
    return levels


def foreground(pixels: GreyImage, levels: NDArray[np.bool_]) -> Mask:
    """Where the grey level is no background. Same shape as ``pixels``."""
    mask: Mask = (~levels)[pixels]
    return mask
