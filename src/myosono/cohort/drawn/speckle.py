"""Speckle and geometry for drawn pictures: an echogenicity map in decibels becomes a grey B-mode image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Grey = NDArray[np.uint8]


def smooth_noise(rng: np.random.Generator, height: int, width: int, axial: float, lateral: float) -> Values:
    """Gaussian noise, blurred with standard deviations in pixels, of unit variance; ``(height, width)``."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    filtered = np.fft.rfft2(rng.normal(size=(height, width)))
    filtered = filtered * np.exp(-2 * np.pi**2 * ((fy * axial) ** 2 + (fx * lateral) ** 2))
    field = np.fft.irfft2(filtered, (height, width))
    return np.asarray(field / (field.std() + 1e-9))


def display(rng: np.random.Generator, decibel: Values) -> Grey:
    """Multiply by fully developed speckle, compress, and map to grey with a random dynamic range and gamma."""
    height, width = decibel.shape
    axial, lateral = rng.uniform(0.7, 1.8), rng.uniform(1.2, 4.5)
    real, imaginary = (smooth_noise(rng, height, width, axial, lateral) for _ in range(2))
    level = 20 * np.log10(np.hypot(real, imaginary) / np.sqrt(2) + 1e-3) + decibel
    top, span = rng.uniform(6, 16), rng.uniform(45, 70)
    return np.asarray(255 * np.clip((level - top + span) / span, 0, 1) ** rng.uniform(0.8, 1.4), dtype=np.uint8)


def as_sector(rng: np.random.Generator, image: Grey) -> Grey:
    """Bend a rectangular image into the fan of a convex probe, black outside; same size."""
    height, width = image.shape
    half, radius = rng.uniform(0.4, 0.8), rng.uniform(0.0, 0.5)
    rows, columns = np.mgrid[0:height, 0:width]
    across, down = (columns - width / 2) / height, rows / height + radius * np.cos(half)
    depth = (np.hypot(across, down) - radius) / (1.0 + radius * np.cos(half) - radius)
    side = (np.arctan2(across, down) / half + 1) / 2
    inside = (depth >= 0) & (depth < 1) & (side >= 0) & (side < 1)
    row = np.clip((depth * height).astype(np.intp), 0, height - 1)
    column = np.clip((side * width).astype(np.intp), 0, width - 1)
    return np.where(inside, image[row, column], 0).astype(np.uint8)
