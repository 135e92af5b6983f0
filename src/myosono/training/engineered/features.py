"""Engineered features of one grey image: echo intensity, co-occurrence, run length, local binary patterns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from myosono.training.engineered import run_length

VERSION = 1
"""Raised whenever a feature's definition changes, so that kept features are never mistaken for new ones."""

_PERCENTILES = (5, 25, 50, 75, 95)
_LEVELS = 32
_DISTANCES = (1, 2, 4)
_ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "ASM", "correlation", "entropy")
_PATTERNS = ((8, 1), (16, 2))
"""Points and radius, in pixels, of the local binary patterns."""

FEATURES = (
    *("mean", "sd", "skewness", "kurtosis", "entropy"),
    *(f"percentile_{percentile}" for percentile in _PERCENTILES),
    *(f"cooccurrence_{name.lower()}_{distance}" for name in _PROPERTIES for distance in _DISTANCES),
    *(f"run_length_{name}" for name in run_length.NAMES),
    *(f"pattern_{points}_{index}" for points, _ in _PATTERNS for index in range(points + 2)),
)
"""Names, in the order of `image_features`."""


def image_features(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """All features of one image.

    Parameters
    ----------
    image
        Grey levels, ``(height, width)``.

    Returns
    -------
    ndarray
        One value a name of `FEATURES`; finite for any image, a constant one too.
    """
    coarse = (image // (256 // _LEVELS)).astype(np.uint8)
    return np.concatenate(
        [_intensity(image), _cooccurrence(coarse), run_length.run_length_features(coarse, _LEVELS), _patterns(image)]
    )


def _intensity(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = image.astype(np.float64).ravel()
    spread = values.std()
    # The third and fourth moments of a constant image are undefined; such an image is symmetric.
    shape = [stats.skew(values), stats.kurtosis(values)] if spread > 0 else [0.0, 0.0]
    histogram = np.bincount(image.ravel(), minlength=256)
    moments = [values.mean(), spread, *shape, stats.entropy(histogram, base=2)]
    return np.concatenate([moments, np.percentile(values, _PERCENTILES)])


def _cooccurrence(coarse: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Haralick's properties at each distance, the mean over four angles."""
    matrix = graycomatrix(coarse, _DISTANCES, _ANGLES, levels=_LEVELS, symmetric=True, normed=True)
    return np.concatenate([graycoprops(matrix, name).mean(axis=1) for name in _PROPERTIES])


def _patterns(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of each rotation-invariant uniform pattern (Ojala et al. 2002)."""
    shares = []
    for points, radius in _PATTERNS:
        codes = local_binary_pattern(image, points, radius, method="uniform").astype(np.intp)
        shares.append(np.bincount(codes.ravel(), minlength=points + 2) / codes.size)
    return np.concatenate(shares)
