"""Deletion and insertion: how a class's probability falls or rises as pixels go or come in order of relevance.

Petsiuk et al. 2018 (RISE, arXiv:1806.07421). Deletion puts a constant where the most relevant pixels were: the area
under its curve is small for a good map. Insertion uncovers them in a blurred image: its area is large for a good map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]

Predict = Callable[[NDArray[np.float32]], Floats]
"""Grey images ``(N, H, W)``, 0 to 255, to probabilities ``(N, classes)``."""

STEPS = 20
BLUR = 5 / 224
"""Standard deviation of the blur as a share of the image's height: 5 pixels of 224, as published."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability of the explained class against the share of pixels deleted or inserted.

    Attributes
    ----------
    shares
        From 0 to 1, shape ``(steps + 1,)``.
    probabilities
        Of the same shape.
    """

    shares: Floats
    probabilities: Floats

    @property
    def area(self) -> float:
        """Area under the curve (trapezoids), 0 to 1."""
        return float(np.trapezoid(self.probabilities, self.shares))


def deletion_curve(
    predict: Predict,
    image: NDArray[np.float32],
    ranks: NDArray[np.intp],
    target: int,
    *,
    fill: float | NDArray[np.float32],
    steps: int = STEPS,
) -> Curve:
    """Put ``fill`` where the most relevant pixels were, more at each step.

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
    fill
        Grey level, or an image of them.
    steps
        Number of steps from the whole image to none of it.
    """
    return _curve(predict, np.broadcast_to(np.float32(fill), image.shape), image, ranks, target, steps)


def insertion_curve(
    predict: Predict,
    image: NDArray[np.float32],
    ranks: NDArray[np.intp],
    target: int,
    *,
    start: NDArray[np.float32],
    steps: int = STEPS,
) -> Curve:
    """Uncover the most relevant pixels in ``start`` (see `blurred`), more at each step; else as `deletion_curve`."""
    return _curve(predict, image, start, ranks, target, steps)


def blurred(image: NDArray[np.float32], blur: float = BLUR) -> NDArray[np.float32]:
    """The image without its detail, for insertion to start from."""
    return np.asarray(gaussian_filter(image, blur * image.shape[0], mode="nearest"), dtype=np.float32)


def _curve(
    predict: Predict,
    taken: NDArray[np.float32],
    kept: NDArray[np.float32],
    ranks: NDArray[np.intp],
    target: int,
    steps: int,
) -> Curve:
    """``taken`` where the rank is low enough, ``kept`` elsewhere."""
    shares = np.linspace(0, 1, steps + 1)
    changed = ranks[None] < np.round(shares * ranks.size)[:, None, None]
    probabilities = predict(np.where(changed, taken, kept).astype(np.float32))
    return Curve(shares, np.asarray(probabilities[:, target], dtype=np.float64))
