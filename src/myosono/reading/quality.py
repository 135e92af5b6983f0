"""Faults that stop a reading: images that show nothing a network could judge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 48
"""Smallest height and width of the B-mode area, in pixels; below it no speckle texture is left."""

MIN_CONTRAST = 2.0
"""Smallest standard deviation, in grey levels."""


def blocking_fault(image: NDArray[np.uint8]) -> str | None:
    """Why an image cannot be classified, or None.

    Parameters
    ----------
    image
        B-mode area, uint8 ``(height, width)``.

    Examples
    --------
    >>> blocking_fault(np.zeros((100, 100), np.uint8))
    'blank image: almost no contrast'
    >>> blocking_fault(np.zeros((8, 100), np.uint8))
    'too small: 100x8 pixels of B-mode, at least 48x48 are needed'
    """
    height, width = image.shape
    if min(height, width) < MIN_SIDE:
        return f"too small: {width}x{height} pixels of B-mode, at least {MIN_SIDE}x{MIN_SIDE} are needed"
    # Every fourth pixel settles it, and a large image costs no more than a small one.
    if float(image[::4, ::4].std()) < MIN_CONTRAST:
        return "blank image: almost no contrast"
    return None
