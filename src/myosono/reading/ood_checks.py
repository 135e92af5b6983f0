"""Pictures that no B-mode image resembles, told without a fitted gate: colour, pages, screens that are almost black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.reading.ood import NOT_MUSCLE

MAX_COLOUR_SHARE = 0.02
"""Largest share of coloured pixels in the B-mode area: a measuring line passes, Doppler and photographs do not."""

MAX_ONE_TONE = 0.5
"""Largest share of pixels of one bright tone; paper has more."""

MAX_BLACK = 0.97
"""Largest share of black pixels."""

_BINS, _BRIGHTEST_ECHO = 32, 16


def picture_fault(image: NDArray[np.uint8], colour_share: float = 0.0) -> str | None:
    """Why a picture cannot be B-mode, or None.

    Parameters
    ----------
    image
        B-mode area, uint8 ``(height, width)``.
    colour_share
        Share of its pixels that are coloured (`myosono.imaging.Frame.colour_share`).

    Examples
    --------
    >>> picture_fault(np.full((90, 90), 250, np.uint8))
    'not muscle ultrasound: 100 % of the picture is one bright tone, like a page or a drawing'
    >>> picture_fault(np.zeros((90, 90), np.uint8), colour_share=0.4)
    'not muscle ultrasound in B-mode: 40 % of the picture is coloured (a photograph, or Doppler)'
    """
    if colour_share > MAX_COLOUR_SHARE:
        return (
            f"{NOT_MUSCLE} in B-mode: {100 * colour_share:.0f} % of the picture is coloured (a photograph, or Doppler)"
        )
    tones = np.bincount((image >> 3).ravel(), minlength=_BINS) / image.size
    paper = float(tones[_BRIGHTEST_ECHO:].max())
    if paper > MAX_ONE_TONE:
        return f"{NOT_MUSCLE}: {100 * paper:.0f} % of the picture is one bright tone, like a page or a drawing"
    if float(tones[0]) > MAX_BLACK:
        return f"{NOT_MUSCLE}: {100 * float(tones[0]):.0f} % of the picture is black"
    return None
