"""ROAD: remove pixels and impute them from their neighbours, so that the mask's outline tells the network nothing.

Rong et al. 2022 (ICML; arXiv:2202.00449). A constant where pixels were deleted is itself a picture, of the mask's
shape; noisy linear imputation hides it. Each removed pixel is the weighted mean of its eight neighbours, known or
removed, plus a little noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import splu

from myosono.faithfulness.curves import Predict

ROAD_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE = 0.01 * 255
"""Standard deviation of the noise, in grey levels: a hundredth of the range, as published."""

_NEIGHBOURS = (((0, 1), 1 / 6), ((1, 0), 1 / 6), ((1, 1), 1 / 12), ((1, -1), 1 / 12))
"""Offsets of one half of the neighbours, and their weights; the other half mirrors them."""


@dataclass(frozen=True)
class RoadScore:
    """Mean probability of the explained class over the shares removed.

    Attributes
    ----------
    most_first
        With the most relevant pixels imputed (MoRF): small for a good map.
    least_first
        With the least relevant imputed (LeRF): large for a good map.
    """

    most_first: float
    least_first: float

    @property
    def combined(self) -> float:
        """Half of LeRF less MoRF, as pytorch-grad-cam combines them: 0 for a map that knows nothing."""
        return (self.least_first - self.most_first) / 2


def road(
    predict: Predict,
    image: NDArray[np.float32],
    ranks: NDArray[np.intp],
    target: int,
    rng: np.random.Generator,
    *,
    shares: Sequence[float] = ROAD_SHARES,
) -> RoadScore:
    """Impute shares of the most and of the least relevant pixels, and average what the network then says.

    Parameters
    ----------
    predict
        The network.
    image
        Grey levels, shape ``(H, W)``.
    ranks
        Of :func:`~myosono.faithfulness.ranking.removal_ranks`, shape ``(H, W)``.
    target
        Class whose probability is followed.
    shares
        Shares of pixels removed, each above 0 and below 1.
    """
    counts = [round(share * ranks.size) for share in shares]
    removed = [ranks < count for count in counts] + [ranks >= ranks.size - count for count in counts]
    images = np.stack([noisy_linear_imputation(image, where, rng) for where in removed])
    found = np.asarray(predict(images)[:, target], dtype=np.float64)
    return RoadScore(float(found[: len(counts)].mean()), float(found[len(counts) :].mean()))


def noisy_linear_imputation(
    image: NDArray[np.float32], removed: NDArray[np.bool_], rng: np.random.Generator, *, noise: float = NOISE
) -> NDArray[np.float32]:
    """Replace pixels by the weighted means of their neighbours, all at once, plus noise.

    Parameters
    ----------
    image
        Grey levels, shape ``(H, W)``.
    removed
        Which pixels to impute, shape ``(H, W)``; not all.
    noise
        Standard deviation, in grey levels.

    Raises
    ------
    ValueError
        If no pixel is left to impute from.
    """
    if removed.all():
        raise ValueError("no pixel is left to impute from")
    unknown, known = np.flatnonzero(removed), np.flatnonzero(~removed)
    filled = np.array(image, dtype=np.float32)
    if unknown.size:
        rows = _laplacian(image.shape)[unknown]
        # Symmetric and positive definite, so that no pivoting is needed.
        factors = splu(
            rows[:, unknown].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        values = factors.solve(-(rows[:, known] @ np.asarray(image, dtype=np.float64).ravel()[known]))
        filled.ravel()[unknown] = values + noise * rng.standard_normal(unknown.size)
    return filled


@lru_cache(maxsize=4)
def _laplacian(shape: tuple[int, int]) -> csr_array:
    """Each pixel less the weighted mean of its neighbours within the image, times their weight."""
    height, width = shape
    index = np.arange(height * width).reshape(shape)
    ones, others, weights = [], [], []
    for (down, right), weight in _NEIGHBOURS:
        one = index[: height - down, max(0, -right) : width - max(0, right)].ravel()
        other = index[down:, max(0, right) : width + min(0, right)].ravel()
        ones += [one, other]
        others += [other, one]
        weights += [np.full(one.size, weight)] * 2
    entries = (np.concatenate(weights), (np.concatenate(ones), np.concatenate(others)))
    adjacent = coo_array(entries, shape=(index.size, index.size)).tocsr()
    diagonal = coo_array((np.asarray(adjacent.sum(axis=1)), (index.ravel(), index.ravel())), shape=adjacent.shape)
    return csr_array(diagonal.tocsr() - adjacent)
