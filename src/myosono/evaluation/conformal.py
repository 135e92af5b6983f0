"""Prediction sets for patients that hold the truth as often as promised, whatever the network.

Split conformal prediction with the score "1 - probability of the true class" of a patient's pooled, calibrated
probabilities (LAC; Sadinle, Lei & Wasserman 2019, JASA 114:223; Angelopoulos & Bates 2021, arXiv:2107.07511). The
promise holds for patients exchangeable with the calibration patients; patients, not images, are the units, because
images of one patient are not exchangeable with those of another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.pooling import pool_probabilities

ALPHA = 0.1


@dataclass(frozen=True)
class ConformalThreshold:
    """A class enters a patient's set when ``1 - probability <= threshold``.

    Attributes
    ----------
    threshold
        None when there are too few patients for the promise: every class then enters every set, so that the tool
        always abstains.
    patients
        Calibration patients.
    alpha
        Promised miss rate: sets hold the truth for at least ``1 - alpha`` of patients.
    """

    threshold: float | None
    patients: int
    alpha: float

    @property
    def always_abstains(self) -> bool:
        """True when the promise cannot be kept with a smaller set than all classes."""
        return self.threshold is None


def patients_needed(alpha: float) -> int:
    """Fewest calibration patients for a finite threshold.

    Examples
    --------
    >>> patients_needed(0.1), patients_needed(0.05)
    (9, 19)
    """
    return math.ceil(round((1 - alpha) / alpha, 9))


def conformal_threshold(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.integer],
    patients: Sequence[str],
    *,
    alpha: float = ALPHA,
) -> ConformalThreshold:
    """Threshold from calibrated image probabilities of calibration patients.

    Parameters
    ----------
    probabilities
        Shape ``(images, classes)``, calibrated as they will be when the threshold is used.
    targets
        Class index of each image, shape ``(images,)``; one per patient.
    patients
        Patient of each image, length ``images``.
    alpha
        Promised miss rate, between 0 and 1.

    Raises
    ------
    ValueError
        If ``alpha`` is not between 0 and 1, or lengths differ.

    Examples
    --------
    >>> p = np.linspace(0.5, 1, 19)
    >>> conformal_threshold(np.stack([p, 1 - p], axis=1), np.zeros(19, int), [str(i) for i in range(19)])
    ConformalThreshold(threshold=0.4722222222222222, patients=19, alpha=0.1)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if not len(patients):
        return ConformalThreshold(None, 0, alpha)
    keys, pooled = pool_probabilities(np.asarray(probabilities, dtype=np.float64), patients)
    target_of = dict(zip(patients, np.asarray(targets).tolist(), strict=True))
    scores = np.sort([1 - pooled[row, target_of[str(key)]] for row, key in enumerate(keys)])
    n = len(scores)
    rank = math.ceil(round((n + 1) * (1 - alpha), 9))
    return ConformalThreshold(float(scores[rank - 1]) if rank <= n else None, n, alpha)


def prediction_sets(probabilities: NDArray[np.floating], threshold: float | None) -> NDArray[np.bool_]:
    """Which classes are in each patient's set; shape ``(patients, classes)``. A threshold of None admits all."""
    if threshold is None:
        return np.ones(probabilities.shape, dtype=np.bool_)
    # The slack admits a score equal to the threshold after a float32 round trip.
    return np.asarray(1 - probabilities <= threshold + 1e-7, dtype=np.bool_)
