"""What the examiner or the preset turns: gain, time gain compensation, dynamic range, grey map.

A B-mode image shows the logarithm of the echo: grey = 255 dB / R, with R the dynamic range. A change in dB is therefore
a shift of grey levels. R is rarely in the file, so that one is assumed. What was clipped stays lost: black, which is
below the range (or no image at all), stays black, and white does not regain structure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.robustness.degradations.base import Degradation, Image, rounded

ASSUMED_RANGE_DB = 65.0
"""Dynamic range that the images are taken to show; musculoskeletal presets lie near it."""

_LEVELS_PER_DB = 255 / ASSUMED_RANGE_DB


def add_decibels(image: Image, decibels: float | NDArray[np.floating]) -> Image:
    """Shift by decibels, a number or an array that broadcasts to ``(height, width)``; black stays black."""
    shifted = rounded(image.astype(np.float32) + np.asarray(decibels, dtype=np.float32) * np.float32(_LEVELS_PER_DB))
    return np.where(image == 0, np.uint8(0), shifted)


def gain(image: Image, decibels: float, _: np.random.Generator) -> Image:
    """Overall gain, in dB."""
    return add_decibels(image, decibels)


def time_gain(image: Image, decibels: float, _: np.random.Generator) -> Image:
    """A slope over depth: half of ``decibels`` less at the top, half more at the bottom, linear between."""
    slope = np.linspace(-0.5, 0.5, image.shape[0], dtype=np.float32)[:, None]
    return add_decibels(image, slope * np.float32(decibels))


def dynamic_range(image: Image, decibels: float, _: np.random.Generator) -> Image:
    """Show ``decibels`` from black to white, about the mean grey level: the examiner sets the gain again by eye."""
    echo = image[image > 0]
    mean = np.float32(echo.mean() if echo.size else 0.0)
    stretched = mean + (image.astype(np.float32) - mean) * np.float32(ASSUMED_RANGE_DB / decibels)
    return np.where(image == 0, np.uint8(0), rounded(stretched))


def grey_map(image: Image, gamma: float, _: np.random.Generator) -> Image:
    """A power curve of the grey levels."""
    table = rounded(255 * (np.arange(256) / 255) ** gamma)
    return np.asarray(table[image], dtype=np.uint8)


DISPLAY = (
    Degradation(
        "gain", "Gain", "dB",
        "Overall gain turned down or up. Grey levels shift together and are clipped.",
        0.0, (-18.0, -12.0, -6.0, 0.0, 6.0, 12.0, 18.0), gain,
    ),
    Degradation(
        "tgc", "Time gain compensation", "dB, bottom against top",
        "Sliders of the depth compensation set wrongly: above 0 the depth is too bright and the surface too dark.",
        0.0, (-20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0), time_gain,
    ),
    Degradation(
        "dynamic_range", "Device preset: dynamic range", "dB from black to white",
        "Another preset's log compression about the mean grey level (gain set again by eye). Smaller is harder "
        "contrast: weak echoes fall to black.",
        ASSUMED_RANGE_DB, (35.0, 45.0, 55.0, 65.0, 80.0, 100.0), dynamic_range,
    ),
    Degradation(
        "grey_map", "Device preset: grey map", "gamma",
        "Another preset's curve from echo to grey: above 1 mid-greys get darker, below 1 brighter.",
        1.0, (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0), grey_map,
    ),
)  # fmt: skip
