"""Temperature scaling twice: once for images, once for the patients that they are pooled to.

One temperature per fold and level, fitted on that fold's validation patients and never on test rows (Guo et al. 2017,
ICML, arXiv:1706.04599). A mean over many images is more often right than any of them, so probabilities that are honest
for images are too cautious for patients; a mean must be calibrated after averaging (Rahaman & Thiery 2021, NeurIPS,
arXiv:2007.08792).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from myosono.evaluation.calibration.scores import negative_log_likelihood
from myosono.evaluation.levels import Units, units_at
from myosono.evaluation.table import Predictions
from myosono.pooling import apply_temperature, pool_probabilities

TEMPERATURE_BOUNDS = (0.1, 10.0)

PRIOR_SPREAD = log(2)
"""Standard deviation of the log patient temperature before any patient is seen: a factor of two either way.

A maximum-likelihood temperature of a dozen patients who are all decided rightly runs to its bound and makes the next
patient's probabilities falsely certain. The prior counts as much as a few patients and fades with their number.
"""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Temperatures:
    """What one fold's validation patients gave.

    Attributes
    ----------
    image
        For image probabilities, before pooling.
    patient
        For patient probabilities, after pooling.
    """

    image: float
    patient: float


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


def fit_temperature(probabilities: Floats, targets: NDArray[np.integer], patients: Sequence[str]) -> float:
    """The image temperature that minimises the patient-weighted negative log-likelihood.

    Parameters
    ----------
    probabilities
        Validation rows only, shape ``(images, classes)``.
    targets
        Class indices, shape ``(images,)``.
    patients
        Patient of each image, length ``images``: each patient weighs the same, however many images were taken.

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
    return _best(lambda t: negative_log_likelihood(apply_temperature(probabilities, exp(t)), targets, weights))


def fit_patient_temperature(pooled: Floats, targets: NDArray[np.integer]) -> float:
    """The patient temperature: most probable given the validation patients and `PRIOR_SPREAD`.

    Parameters
    ----------
    pooled
        One row per validation patient: means of image probabilities that are already calibrated,
        shape ``(patients, classes)``.
    targets
        Class indices, shape ``(patients,)``.

    Returns
    -------
    temperature
        Within ``TEMPERATURE_BOUNDS``; 1 without patients, and drawn towards 1 by few.

    Examples
    --------
    >>> one, many = np.array([[0.6, 0.4]]), np.tile([0.6, 0.4], (40, 1))
    >>> [round(fit_patient_temperature(p, np.zeros(len(p), int)), 2) for p in (one, many)]
    [0.92, 0.12]
    """
    if not len(targets):
        return 1.0

    def loss(log_temperature: float) -> float:
        fit = len(targets) * negative_log_likelihood(apply_temperature(pooled, exp(log_temperature)), targets)
        return fit + 0.5 * (log_temperature / PRIOR_SPREAD) ** 2

    return _best(loss)


def _best(loss: Callable[[float], float]) -> float:
    """The temperature of least loss; a bounded scalar search finds always the same one."""
    lo, hi = (log(bound) for bound in TEMPERATURE_BOUNDS)
    found = minimize_scalar(loss, bounds=(lo, hi), method="bounded", options={"xatol": 1e-6})
    return exp(found.x)


def fit_temperatures(predictions: Predictions) -> dict[str, Temperatures]:
    """Both temperatures of each fold that has validation rows; test rows are not looked at."""
    validation = predictions.rows("validation")
    found = {}
    for fold in validation.folds:
        rows = (validation.table["fold"] == fold).to_numpy()
        part = Predictions(validation.table[rows].reset_index(drop=True), validation.classes)
        image = fit_temperature(part.probabilities, part.targets, part.table["patient_id"].tolist())
        patients = units_at("patient", part, apply_temperature(part.probabilities, image))
        found[fold] = Temperatures(image, fit_patient_temperature(patients.probabilities, patients.targets))
    return found


def calibrate_images(part: Predictions, temperatures: Mapping[str, Temperatures]) -> Floats:
    """Image probabilities at their fold's temperature, shape ``(rows, classes)``; as they are where there is none."""
    if not temperatures:
        return part.probabilities
    return apply_temperature(part.probabilities, np.exp(_logs(part, temperatures, "image")))


def calibrate_patients(part: Predictions, calibrated: Floats, temperatures: Mapping[str, Temperatures]) -> Units:
    """Patients pooled from calibrated image probabilities, at their fold's patient temperature.

    A patient whom several folds tested (only when the split is not by patient) gets the geometric mean of theirs.
    """
    units = units_at("patient", part, calibrated)
    if not temperatures:
        return units
    logs = _logs(part, temperatures, "patient")[:, None]
    _, pooled = pool_probabilities(logs, part.table["patient_id"].tolist())
    return replace(units, probabilities=apply_temperature(units.probabilities, np.exp(pooled[:, 0])))


def _logs(part: Predictions, temperatures: Mapping[str, Temperatures], level: str) -> Floats:
    known = {fold: log(getattr(found, level)) for fold, found in temperatures.items()}
    return part.table["fold"].map(lambda fold: known.get(fold, 0.0)).to_numpy(dtype=np.float64)
