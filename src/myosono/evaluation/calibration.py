"""Do probabilities mean what they say? Temperature scaling, and how far off they are before and after.

One temperature per fold, fitted on that fold's validation patients and never on test rows (Guo et al. 2017, ICML,
arXiv:1706.04599). Each patient weighs the same, however many images were taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from myosono.evaluation.result import CalibrationScores, ReliabilityBin
from myosono.evaluation.table import Predictions

TEMPERATURE_BOUNDS = (0.1, 10.0)
BINS = 15
_SMALLEST = 1e-12

Floats = NDArray[np.float64]


def patient_weights(patients: Sequence[str]) -> Floats:
    """Weight of each image such that every patient's images sum to the same, and all to 1; shape ``(images,)``.

    Examples
    --------
    >>> patient_weights(["a", "a", "b"]).tolist()
    [0.25, 0.25, 0.5]
    """
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    counts = np.bincount(codes)
    return np.asarray(1.0 / (counts[codes] * len(counts)), dtype=np.float64)


def apply_temperature(probabilities: Floats, temperature: float | Floats) -> Floats:
    """Softmax of the log-probabilities divided by a temperature (above 1 is softer); the order of classes is kept.

    Parameters
    ----------
    probabilities
        Shape ``(rows, classes)``.
    temperature
        One number, or one per row, shape ``(rows,)``.

    Examples
    --------
    >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    scale = np.broadcast_to(np.asarray(temperature, dtype=np.float64), len(probabilities))[:, None]
    logs = np.log(np.maximum(probabilities, _SMALLEST)) / scale
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_temperature(probabilities: Floats, targets: NDArray[np.integer], patients: Sequence[str]) -> float:
    """The temperature that minimises the patient-weighted negative log-likelihood.

    The loss has one minimum in the temperature, so a bounded scalar search finds it and always the same one.

    Parameters
    ----------
    probabilities
        Validation rows only, shape ``(images, classes)``.
    targets
        Class indices, shape ``(images,)``.
    patients
        Patient of each image, length ``images``.

    Returns
    -------
    temperature
        Within ``TEMPERATURE_BOUNDS``.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if not len(targets):
        raise ValueError("a temperature needs at least one validation image")
    weights = patient_weights(patients)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(apply_temperature(probabilities, np.exp(log_temperature)), targets, weights)

    lo, hi = np.log(TEMPERATURE_BOUNDS)
    found = minimize_scalar(loss, bounds=(lo, hi), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def fit_temperatures(predictions: Predictions) -> dict[str, float]:
    """One temperature per fold that has validation rows; test rows are not looked at."""
    validation = predictions.rows("validation")
    found = {}
    for fold in validation.folds:
        rows = (validation.table["fold"] == fold).to_numpy()
        patients = validation.table.loc[rows, "patient_id"].tolist()
        found[fold] = fit_temperature(validation.probabilities[rows], validation.targets[rows], patients)
    return found


def negative_log_likelihood(
    probabilities: Floats, targets: NDArray[np.integer], weights: Floats | None = None
) -> float:
    """Mean ``-log p`` of the true class, in nats."""
    true = probabilities[np.arange(len(targets)), targets]
    return float(np.average(-np.log(np.maximum(true, _SMALLEST)), weights=weights))


def brier_score(probabilities: Floats, targets: NDArray[np.integer]) -> float:
    """Mean squared distance to the one-hot target, summed over classes: 0 is perfect, 2 the worst (Brier 1950).

    Examples
    --------
    >>> brier_score(np.array([[0.5, 0.5]]), np.array([0]))
    0.5
    """
    true = np.eye(probabilities.shape[1])[targets]
    return float(((probabilities - true) ** 2).sum(axis=1).mean())


def reliability_bins(
    probabilities: Floats, targets: NDArray[np.integer], *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Confidence of the decision against how often it is right, in bins of equal width."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        count = int(inside.sum())
        found.append(
            ReliabilityBin(
                lo=float(edges[number]),
                hi=float(edges[number + 1]),
                count=count,
                confidence=float(confidence[inside].mean()) if count else None,
                accuracy=float(right[inside].mean()) if count else None,
            )
        )
    return tuple(found)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean gap between confidence and accuracy, bins weighted by their count (top-label ECE; Guo et al. 2017)."""
    total = sum(part.count for part in bins)
    gaps = (
        part.count * abs(part.confidence - part.accuracy)
        for part in bins
        if part.confidence is not None and part.accuracy is not None
    )
    return float(sum(gaps) / total)


def calibration_scores(probabilities: Floats, targets: NDArray[np.integer]) -> CalibrationScores:
    """ECE, Brier score and negative log-likelihood of one set of probabilities, shape ``(units, classes)``."""
    return CalibrationScores(
        ece=expected_calibration_error(reliability_bins(probabilities, targets)),
        brier=brier_score(probabilities, targets),
        nll=negative_log_likelihood(probabilities, targets),
    )
