"""From tissue probabilities to one unbroken border above the muscle and one below it, without a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_STEP = 2
"""Rows by which a border may move from one column to the next: an aponeurosis is continuous."""

_TINY = 1e-6

Borders = NDArray[np.float64]
"""``(2, columns)``: where muscle begins and where it ends, as fractions of the image's height from its upper edge."""


def decode_borders(probabilities: NDArray[Any]) -> tuple[Borders, float]:
    """The most probable borders, given that above, muscle and below follow each other once in each column.

    The log likelihood of a pair of borders in a column is a difference of cumulative sums. The superficial border is
    the continuous line of the highest sum of likelihoods, each with the best deep border of its column; the deep one
    is then the best continuous line below it (Viterbi 1967, IEEE Trans Inf Theory 13:260).

    Parameters
    ----------
    probabilities
        ``(3, rows, columns)``: above, muscle, below; sums to 1 over the first axis.

    Returns
    -------
    borders, support
        The borders, and the mean probability of the tissue that they assign to each pixel, 0 to 1.

    Examples
    --------
    >>> tissue = np.repeat([0, 1, 2], [2, 5, 3])
    >>> borders, support = decode_borders(np.eye(3)[tissue].T[:, :, None].repeat(4, axis=2))
    >>> borders[:, 0].tolist(), round(support, 3)
    ([0.2, 0.7], 1.0)
    """
    values = np.asarray(probabilities, dtype=np.float64)
    rows, columns = values.shape[1:]
    logs = np.log(np.maximum(values, _TINY)).cumsum(axis=1)
    above, muscle, below = np.concatenate([np.zeros((3, 1, columns)), logs], axis=1)
    begin, end = above - muscle, muscle - below
    best_end = np.maximum.accumulate(end[::-1], axis=0)[::-1]
    first = continuous_path(begin + best_end)
    row = np.arange(rows + 1)[:, None]
    last = continuous_path(np.where(row >= first, end, -np.inf))
    borders = np.stack([first, last])
    assigned = np.take_along_axis(values, _tissue(borders, rows)[None], axis=0)
    return borders / rows, float(assigned.mean())


def continuous_path(score: NDArray[np.float64]) -> NDArray[np.intp]:
    """Row of each column, moving at most `MAX_STEP` a column, with the highest sum of ``score``, ``(rows, columns)``.

    Scores may be minus infinity where the path must not go, as long as some path remains.
    """
    rows, columns = score.shape
    totals = np.full((columns, rows + 2 * MAX_STEP), -np.inf)
    inner = slice(MAX_STEP, MAX_STEP + rows)
    totals[0, inner] = score[:, 0]
    for column in range(1, columns):
        before = totals[column - 1]
        best = before[:rows]
        for shift in range(1, 2 * MAX_STEP + 1):
            best = np.maximum(best, before[shift : shift + rows])
        totals[column, inner] = best + score[:, column]
    path = np.empty(columns, dtype=np.intp)
    path[-1] = totals[-1, inner].argmax()
    for column in range(columns - 1, 0, -1):
        # Padded by MAX_STEP, so the window that may have led here starts at the row itself.
        row = path[column]
        path[column - 1] = row - MAX_STEP + totals[column - 1, row : row + 2 * MAX_STEP + 1].argmax()
    return path


def borders_to_mask(borders: Borders, height: int, width: int) -> NDArray[np.bool_]:
    """Mask ``(height, width)`` of the pixels whose centre lies between the borders; columns are interpolated."""
    known = (np.arange(borders.shape[1]) + 0.5) / borders.shape[1]
    wanted = (np.arange(width) + 0.5) / width
    top, bottom = (np.interp(wanted, known, edge) for edge in borders)
    rows = ((np.arange(height) + 0.5) / height)[:, None]
    mask: NDArray[np.bool_] = (rows >= top) & (rows < bottom)
    return mask


def _tissue(borders: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    row = np.arange(rows)[:, None]
    tissue: NDArray[np.intp] = (row >= borders[0]).astype(np.intp) + (row >= borders[1])
    return tissue
