"""Echo intensity: the mean grey level of muscle, the oldest measure of quantitative muscle ultrasound.

Pillen and van Alfen 2011 (Neurol Res 33:1016) review it: it rises with fat and fibrous tissue. It is a level of the
display, not of the tissue alone: gain, compression, depth and machine move it, so it is compared only within one
device and setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from myosono.errors import UsageError
from myosono.quantification.region import check_shape

SATURATED = "of the region is black or white: gain too low or too high for its mean"

_SATURATED = 0.02


@dataclass(frozen=True)
class EchoIntensity:
    """Grey levels of a region, 0 to 255.

    Attributes
    ----------
    mean, sd
        Mean and standard deviation (population).
    pixels
        How many.
    saturated
        Share of pixels at 0 or 255, where the display cut off; above 2 % the mean is biased towards the middle.
    """

    mean: float
    sd: float
    pixels: int
    saturated: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What limits the figure."""
        if self.saturated > _SATURATED:
            return (f"{self.saturated:.0%} {SATURATED}",)
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean": self.mean, "sd": self.sd, "pixels": self.pixels, "saturated": self.saturated}


def echo_intensity(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> EchoIntensity:
    """Echo intensity of the masked pixels.

    Raises
    ------
    UsageError
        If the mask is empty or of another size.

    Examples
    --------
    >>> found = echo_intensity(np.array([[10, 20], [30, 200]], np.uint8), np.array([[True, True], [True, False]]))
    >>> found.mean, found.pixels
    (20.0, 3)
    """
    check_shape(image, mask)
    levels = image[mask]
    if levels.size == 0:
        raise UsageError("echo intensity of an empty region")
    cut = float(np.mean((levels == 0) | (levels == 255)))
    return EchoIntensity(float(levels.mean()), float(levels.std()), int(levels.size), cut)
