"""From image probabilities to a patient's probabilities and set of diagnoses: the rules of evaluation and of reading.

The probability of a muscle or of a patient is the mean of its files' probabilities (soft voting), and a file's that of
its frames'; a patient's is then sharpened or softened by one temperature. The rules live here, below the rooms, so that
what is evaluated is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Group = TypeVar("Group", bound=Hashable)

SMALLEST_PROBABILITY = 1e-12
"""Probabilities are raised to this before a logarithm is taken."""

_SLACK = 1e-7


def pool_probabilities(
    probabilities: NDArray[np.floating], groups: Sequence[Group]
) -> tuple[list[Group], NDArray[np.float64]]:
    """Mean probability per group.

    Parameters
    ----------
    probabilities
        Shape ``(images, classes)``; each row sums to 1.
    groups
        Group of each image, length ``images``.

    Returns
    -------
    keys, pooled
        The distinct groups in order of first appearance, and their mean probabilities,
        shape ``(groups, classes)``.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> keys, pooled = pool_probabilities(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), ["a", "a", "b"])
    >>> keys, pooled.tolist()
    (['a', 'b'], [[0.5, 0.5], [0.5, 0.5]])
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if len(probabilities) != len(groups):
        raise ValueError(f"{len(probabilities)} rows of probabilities for {len(groups)} groups")
    index: dict[Group, int] = {}
    codes = np.array([index.setdefault(group, len(index)) for group in groups], dtype=np.intp)
    sums = np.zeros((len(index), probabilities.shape[1]))
    np.add.at(sums, codes, probabilities)
    counts = np.bincount(codes, minlength=len(index))
    return list(index), sums / counts[:, None]


def pool_files(
    probabilities: NDArray[np.floating], groups: Sequence[Group], files: Sequence[Hashable]
) -> tuple[list[Group], NDArray[np.float64], NDArray[np.intp]]:
    """Mean probability per group of its files, each the mean of its frames: a long clip does not outvote the stills.

    Parameters
    ----------
    probabilities
        Shape ``(frames, classes)``; each row sums to 1.
    groups, files
        Group and file of each frame, length ``frames``.

    Returns
    -------
    keys, pooled, counts
        As :func:`pool_probabilities`, and the number of files in each group.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> frames = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> keys, pooled, counts = pool_files(frames, ["P1"] * 4, ["clip", "clip", "clip", "still"])
    >>> pooled.tolist(), counts.tolist()
    ([[0.5, 0.5]], [2])
    """
    pairs, per_file = pool_probabilities(probabilities, list(zip(groups, files, strict=True)))
    keys, pooled = pool_probabilities(per_file, [group for group, _ in pairs])
    held = Counter(group for group, _ in pairs)
    return keys, pooled, np.array([held[key] for key in keys], dtype=np.intp)


def file_keys(names: Sequence[str]) -> list[str | int]:
    """What tells files apart, for :func:`pool_files`: a name that frames share, and of an image without one its place.

    Examples
    --------
    >>> file_keys(["loop", "loop", ""])
    ['loop', 'loop', 2]
    """
    return [name or place for place, name in enumerate(names)]


def mean_over_files(values: Sequence[float], files: Sequence[Hashable]) -> float:
    """Mean over files of the mean over their frames, of a measure of each frame; as :func:`pool_files` pools classes.

    Examples
    --------
    >>> mean_over_files([1.0, 1.0, 4.0], ["loop", "loop", "still"])
    2.5
    """
    _, per_file = pool_probabilities(np.array(values, dtype=np.float64)[:, None], files)
    return float(per_file.mean())


def apply_temperature(
    probabilities: NDArray[np.floating], temperature: float | NDArray[np.floating]
) -> NDArray[np.float64]:
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
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY)) / scale
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def in_prediction_set(probabilities: NDArray[np.floating], thresholds: Sequence[float | None]) -> NDArray[np.bool_]:
    """Which classes are in each patient's set: those with ``1 - probability <= threshold``.

    Parameters
    ----------
    probabilities
        Shape ``(patients, classes)``, calibrated as patients.
    thresholds
        By class; None admits the class always.

    Examples
    --------
    >>> in_prediction_set(np.array([[0.7, 0.2, 0.1]]), (0.8, 0.8, None)).tolist()
    [[True, True, True]]
    """
    limits = np.array([np.inf if threshold is None else threshold for threshold in thresholds])
    # The slack admits a score equal to the threshold after a float32 round trip.
    return np.asarray(1 - np.asarray(probabilities, dtype=np.float64) <= limits + _SLACK, dtype=np.bool_)
