"""How far probabilities are from what they say: ECE, Brier score, negative log-likelihood, reliability by bins.

Intervals come from draws of patients (`PatientBootstrap`), so that many images of a patient do not pass for many
patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.intervals import Estimate, PatientBootstrap, percentile_interval, share_estimate
from myosono.evaluation.levels import Units
from myosono.evaluation.result import CalibrationScores, ReliabilityBin
from myosono.pooling import SMALLEST_PROBABILITY

BINS = 15
"""Of images, as published figures have (Guo et al. 2017)."""

PATIENTS_PER_BIN = 10
_CHANCE_DRAWS = 2000

Floats = NDArray[np.float64]


def patient_bins(patients: int) -> int:
    """Bins for patients: ten patients in each on average, between 5 and 15.

    Examples
    --------
    >>> patient_bins(30), patient_bins(105), patient_bins(1000)
    (5, 10, 15)
    """
    return min(BINS, max(5, patients // PATIENTS_PER_BIN))


def _losses(probabilities: Floats, targets: NDArray[np.integer]) -> Floats:
    true = probabilities[np.arange(len(targets)), targets]
    return np.asarray(-np.log(np.maximum(true, SMALLEST_PROBABILITY)), dtype=np.float64)


def _squares(probabilities: Floats, targets: NDArray[np.integer]) -> Floats:
    true = np.eye(probabilities.shape[1])[targets]
    return np.asarray(((probabilities - true) ** 2).sum(axis=1), dtype=np.float64)


def negative_log_likelihood(
    probabilities: Floats, targets: NDArray[np.integer], weights: Floats | None = None
) -> float:
    """Mean ``-log p`` of the true class, in nats."""
    return float(np.average(_losses(probabilities, targets), weights=weights))


def brier_score(probabilities: Floats, targets: NDArray[np.integer]) -> float:
    """Mean squared distance to the one-hot target, summed over classes: 0 is perfect, 2 the worst (Brier 1950).

    Examples
    --------
    >>> brier_score(np.array([[0.5, 0.5]]), np.array([0]))
    0.5
    """
    return float(_squares(probabilities, targets).mean())


def reliability_bins(
    probabilities: Floats,
    targets: NDArray[np.integer],
    *,
    bins: int = BINS,
    patients: Sequence[str] = (),
    bootstrap: PatientBootstrap | None = None,
) -> tuple[ReliabilityBin, ...]:
    """Confidence of the decision against how often it is right, in bins of equal width.

    Parameters
    ----------
    probabilities
        Shape ``(units, classes)``.
    targets
        Class indices, shape ``(units,)``.
    bins
        Number of bins of the confidence, from 0 to 1.
    patients, bootstrap
        Patient of each unit, and the draws behind each bin's interval; without them there are no intervals.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    edges, place = np.linspace(0, 1, bins + 1), _place(confidence, bins)
    weights = None if bootstrap is None else bootstrap.weights(patients)
    found = []
    for number in range(bins):
        inside = place == number
        count = int(inside.sum())
        people = len({patients[row] for row in np.flatnonzero(inside).tolist()}) if patients else 0
        found.append(
            ReliabilityBin(
                lo=float(edges[number]),
                hi=float(edges[number + 1]),
                count=count,
                confidence=float(confidence[inside].mean()) if count else None,
                accuracy=share_estimate(right[inside], None if weights is None else weights[:, inside], people),
            )
        )
    return tuple(found)


def _place(confidence: Floats, bins: int) -> NDArray[np.intp]:
    return np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean gap between confidence and accuracy, bins weighted by their count (top-label ECE; Guo et al. 2017)."""
    total = sum(part.count for part in bins)
    gaps = (
        part.count * abs(part.confidence - part.accuracy.value)
        for part in bins
        if part.confidence is not None and part.accuracy.value is not None
    )
    return float(sum(gaps) / total)


def _errors(gaps: Floats, place: NDArray[np.intp], bins: int, weights: Floats) -> Floats:
    """ECE under each set of weights, shape ``(R,)``, from signed gaps per unit."""
    cells = np.zeros((len(gaps), bins))
    cells[np.arange(len(gaps)), place] = gaps
    return np.asarray(np.abs(weights @ cells).sum(axis=1) / weights.sum(axis=1), dtype=np.float64)


def calibration_draws(
    units: Units, bootstrap: PatientBootstrap, *, bins: int = BINS
) -> dict[str, tuple[float, Floats]]:
    """ECE, Brier score and negative log-likelihood, each with its value in every draw of patients.

    A draw of patients repeats some of them, which raises the ECE as a smaller study would; the draws are shifted back
    by their mean excess, the bootstrap's estimate of bias (Efron & Tibshirani 1993, chapter 10).

    Returns
    -------
    draws
        ``ece``, ``brier``, ``nll`` -> the value, and the draws, shape ``(resamples,)``.
    """
    probabilities, targets = units.probabilities, units.targets
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    gaps, place = confidence - right, _place(confidence, bins)
    weights = bootstrap.weights(units.patients)
    error = float(_errors(gaps, place, bins, np.ones((1, len(gaps))))[0])
    errors = _errors(gaps, place, bins, weights)
    shifted = np.maximum(errors - (errors.mean() - error), 0) if len(errors) else errors

    def mean(values: Floats) -> tuple[float, Floats]:
        return float(values.mean()), np.asarray((weights @ values) / weights.sum(axis=1), dtype=np.float64)

    return {
        "ece": (error, shifted),
        "brier": mean(_squares(probabilities, targets)),
        "nll": mean(_losses(probabilities, targets)),
    }


def calibration_scores(units: Units, bootstrap: PatientBootstrap, *, bins: int = BINS) -> CalibrationScores:
    """ECE, Brier score and negative log-likelihood of one level, with 95 % intervals over patients."""
    draws = calibration_draws(units, bootstrap, bins=bins)
    return CalibrationScores(**{name: percentile_interval(*found) for name, found in draws.items()})


def chance_error(units: Units, *, bins: int, seed: int = 0) -> Estimate:
    """The ECE that these units would show if their probabilities were perfectly honest (Bröcker & Smith 2007).

    Few units show an error by chance alone. Only for units that are independent: patients, not images.

    Returns
    -------
    estimate
        Mean, and the range of the central 95 %, of the ECE with outcomes drawn from the confidences.
    """
    confidence = units.probabilities.max(axis=1)
    place, rng = _place(confidence, bins), np.random.default_rng(seed)
    cells = np.zeros((len(confidence), bins))
    cells[np.arange(len(confidence)), place] = 1
    gaps = confidence - (rng.random((_CHANCE_DRAWS, len(confidence))) < confidence)
    errors = np.abs(gaps @ cells).sum(axis=1) / len(confidence)
    return percentile_interval(float(errors.mean()), errors)
