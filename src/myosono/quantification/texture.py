"""Texture of a region: first-order shape of the grey levels, and Haralick's co-occurrence features.

Haralick et al. 1973 (IEEE Trans Syst Man Cybern 3:610), as in scikit-image's ``graycomatrix``, but over a region of any
shape and with NumPy alone. Grey levels are binned over the fixed range 0 to 255, so gain moves these features too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.errors import UsageError
from myosono.quantification.region import check_shape

LEVELS = 32
OFFSETS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours, one pixel away, in four directions, each counted both ways."""


@dataclass(frozen=True)
class Texture:
    """Texture features, each comparable only between images of one pixel spacing and device setting.

    Attributes
    ----------
    echovariation
        Standard deviation over mean of the grey levels, in percent.
    skewness
        Of the grey levels.
    contrast, homogeneity, energy, correlation, entropy
        Of the co-occurrence matrix over 32 levels: mean squared difference of neighbours (in levels squared), mean of
        1 / (1 + squared difference), root of the sum of squares, correlation of neighbours, and Shannon entropy in
        bits. Correlation is 1 where all neighbours are equal.
    """

    echovariation: float
    skewness: float
    contrast: float
    homogeneity: float
    energy: float
    correlation: float
    entropy: float

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def texture_features(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Texture:
    """Texture of the masked pixels; a pair of neighbours counts if both are masked.

    Raises
    ------
    UsageError
        If the mask is of another size or holds no pair of neighbours.
    """
    check_shape(image, mask)
    levels = image[mask].astype(np.float64)
    matrix = cooccurrence(image, mask)
    first, second = np.meshgrid(np.arange(LEVELS), np.arange(LEVELS), indexing="ij")
    apart = np.square(first - second)
    mean, sd = levels.mean(), levels.std()
    away = levels - mean
    present = matrix[matrix > 0]
    return Texture(
        echovariation=float(100 * sd / mean) if mean > 0 else 0.0,
        skewness=float(np.mean(away * away * away) / sd**3) if sd > 0 else 0.0,
        contrast=float((matrix * apart).sum()),
        homogeneity=float((matrix / (1 + apart)).sum()),
        energy=float(np.sqrt(np.square(matrix).sum())),
        correlation=_correlation(matrix, first, second),
        entropy=float(-(present * np.log2(present)).sum()) + 0.0,
    )


def cooccurrence(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each pair of levels among neighbours, symmetric, ``(32, 32)``, summing to 1.

    Raises
    ------
    UsageError
        If no two neighbours are masked.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        raise UsageError("texture of an empty region")
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    # A further level marks what lies outside, which is quicker than picking pairs.
    coarse = np.where(mask[box], image[box].astype(np.intp) * LEVELS // 256, LEVELS)
    counts = np.zeros((LEVELS + 1) ** 2, dtype=np.int64)
    for down, right in OFFSETS:
        here, there = _pair(coarse, down, right)
        counts += np.bincount((here * (LEVELS + 1) + there).ravel(), minlength=counts.size)
    table = counts.reshape(LEVELS + 1, LEVELS + 1)[:LEVELS, :LEVELS]
    if not table.any():
        raise UsageError("texture of a region without two neighbouring pixels")
    both_ways = (table + table.T).astype(np.float64)
    return np.asarray(both_ways / both_ways.sum())


def _pair(values: NDArray[np.intp], down: int, right: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Each pixel and its neighbour, where there is one."""
    height, width = values.shape
    left, start = max(0, -right), max(0, right)
    here = values[: height - down, left : width - start]
    there = values[down:, left + right : width - start + right]
    return here, there


def _correlation(matrix: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    mean = float((matrix * first).sum())
    variance = float((matrix * np.square(first - mean)).sum())
    if variance <= 0:
        return 1.0
    return float((matrix * (first - mean) * (second - mean)).sum() / variance)
