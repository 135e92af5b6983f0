"""From a map to an order of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.faithfulness.baselines import random_map

_TIE_GRID = 8


def removal_ranks(relevance: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.intp]:
    """Rank of each pixel, 0 for the most relevant.

    Equal pixels (Grad-CAM is 0 wherever nothing speaks for the class) are ordered by a smooth random map: in the order
    of memory they would go from top to bottom, and one by one at random they would be noise.

    Parameters
    ----------
    relevance
        Shape ``(H, W)``, finite.

    Raises
    ------
    ValueError
        If it is not finite.

    Examples
    --------
    >>> removal_ranks(np.array([[0.1, 0.7], [0.9, 0.2]]), np.random.default_rng(0))
    array([[3, 1],
           [0, 2]])
    """
    if not np.isfinite(relevance).all():
        raise ValueError("a relevance map must be finite")
    height, width = relevance.shape
    ties = random_map((min(_TIE_GRID, height), min(_TIE_GRID, width)), (height, width), rng)
    order = np.lexsort((ties.ravel(), -np.asarray(relevance, dtype=np.float64).ravel()))
    ranks = np.empty(order.size, dtype=np.intp)
    ranks[order] = np.arange(order.size)
    return ranks.reshape(relevance.shape)
