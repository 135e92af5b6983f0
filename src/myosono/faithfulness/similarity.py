"""How alike two maps are: by the order of their pixels, and by structure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from skimage.metrics import structural_similarity as _ssim


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two maps of one shape; 0 where one of them is constant.

    A constant map shares no order with any other, and a network that has lost its features gives one.

    Examples
    --------
    >>> rank_correlation(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 4.0], [9.0, 16.0]]))
    1.0
    """
    a, b = (rankdata(each).astype(np.float64) for each in (first.ravel(), second.ravel()))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return round(float(a @ b) / norm, 12) if norm else 0.0


def structural_similarity(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """SSIM of two maps of one shape, each scaled to 0..1 (Wang et al. 2004, IEEE Trans Image Process 13:600).

    Smooth maps are alike by this measure whatever they show: compare it with what random maps of the same grid reach.

    Raises
    ------
    ValueError
        If a side is below 7 pixels, the window's.
    """
    return float(_ssim(_scaled(first), _scaled(second), data_range=1.0))  # type: ignore[no-untyped-call]


def _scaled(relevance: NDArray[np.floating]) -> NDArray[np.float64]:
    lifted = np.asarray(relevance, dtype=np.float64) - float(relevance.min())
    peak = float(lifted.max())
    return lifted / peak if peak else lifted
