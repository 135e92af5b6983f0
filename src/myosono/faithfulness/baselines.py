"""Maps that know nothing of the image: what a heat map must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]


def upsampled(relevance: NDArray[np.floating], shape: tuple[int, int]) -> Floats:
    """A coarse map on an image's grid, bicubic between the centres of its cells, as overlays are drawn.

    Parameters
    ----------
    relevance
        Shape ``(h, w)``.
    shape
        Height and width of the image, in pixels.
    """
    if relevance.shape == shape:
        return np.asarray(relevance, dtype=np.float64)
    picture = Image.fromarray(np.ascontiguousarray(relevance, dtype=np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float64)


def random_map(grid: tuple[int, int], shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Gaussian noise on a grid, upsampled.

    On a map's own grid its patches are as large as the map's: single random pixels would destroy an image's texture
    faster than any patch, and a comparison with them tells of texture, not of places.

    Parameters
    ----------
    grid
        Cells, ``(h, w)``; ``shape`` itself gives noise of single pixels.
    shape
        Height and width of the image, in pixels.
    """
    return upsampled(rng.standard_normal(grid), shape)


def centre_prior(shape: tuple[int, int]) -> Floats:
    """A Gaussian in the middle, with standard deviations of a quarter of height and width; 1 at its peak."""
    rows, columns = (np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * 0.25**2)) for n in shape)
    return np.asarray(np.outer(rows, columns))
