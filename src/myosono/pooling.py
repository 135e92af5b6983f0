"""From image probabilities to muscle and patient probabilities: the one rule, used in evaluation and in reading.

The probability of a muscle or of a patient is the mean of its images' probabilities (soft voting). It is the
rule that needs no fitting, and it lives here, below the rooms, so that what is evaluated is what is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Group = TypeVar("Group", bound=Hashable)


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
