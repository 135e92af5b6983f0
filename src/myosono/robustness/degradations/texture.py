"""What happens to the fine grain: more speckle, blur, lossy storage.

Sizes are shares of the image's height or width, so that a strength means the same for large and small images.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from myosono.robustness.degradations.base import Degradation, Image, rounded
from myosono.robustness.degradations.display import add_decibels

SPECKLE_SD_DB = 10 / np.log(10) * np.pi / np.sqrt(6)
"""Standard deviation of fully developed speckle after log compression, 5.57 dB (Goodman 1976, J Opt Soc Am 66:1145)."""

_SPECKLE_MEAN_DB = -10 / np.log(10) * np.euler_gamma
_DEEPEST_NULL_DB = -40.0
_GRAIN = (0.002, 0.004)  # axial and lateral, standard deviation as a share of height and of width


def speckle_decibels(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float32]:
    """Fully developed speckle in dB about its mean, shape ``shape``: the log of a correlated Rayleigh field."""
    grain = [max(share * side, 0.3) for share, side in zip(_GRAIN, shape, strict=True)]
    parts = [gaussian_filter(generator.standard_normal(shape, np.float32), grain, mode="wrap") for _ in range(2)]
    power = np.square(parts[0]) + np.square(parts[1])
    decibels = 10 * np.log10(np.maximum(power / power.mean(), 1e-9)) - _SPECKLE_MEAN_DB
    return np.asarray(np.maximum(decibels, _DEEPEST_NULL_DB), dtype=np.float32)


def speckle(image: Image, decibels: float, generator: np.random.Generator) -> Image:
    """Multiply the echo by speckle whose logarithm has a standard deviation of ``decibels``."""
    field = speckle_decibels(image.shape, generator)
    return add_decibels(image, field * np.float32(decibels / SPECKLE_SD_DB))


def blur(image: Image, percent: float, _: np.random.Generator) -> Image:
    """Gaussian blur; its standard deviation is ``percent`` of the height."""
    sigma = percent / 100 * image.shape[0]
    return rounded(gaussian_filter(image.astype(np.float32), sigma, mode="nearest"))


def jpeg(image: Image, loss: float, _: np.random.Generator) -> Image:
    """Through JPEG at quality ``100 - loss``."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=round(100 - loss))
    with Pillow.open(buffer) as stored:
        return np.asarray(stored, dtype=np.uint8)


TEXTURE = (
    Degradation(
        "speckle", "Speckle", "dB, standard deviation",
        "Grain added to the echo, as a preset without compounding or speckle reduction shows it; 5.6 dB is fully "
        "developed speckle (on top of what the image has). The mean level in dB is kept.",
        0.0, (0.0, 1.5, 3.0, 5.6, 8.0), speckle,
    ),
    Degradation(
        "blur", "Blur", "% of the height, standard deviation",
        "Poor focus, motion, or heavy smoothing by the machine.",
        0.0, (0.0, 0.2, 0.4, 0.8, 1.6), blur,
    ),
    Degradation(
        "jpeg", "JPEG", "100 - quality; 0 is lossless",
        "Lossy storage in an archive or by a messenger.",
        0.0, (0.0, 10.0, 25.0, 50.0, 75.0, 90.0), jpeg,
    ),
)  # fmt: skip
