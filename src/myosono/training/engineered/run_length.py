"""Grey-level run length statistics (Galloway 1975, Comput Graph Image Process 4:172)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NAMES = ("short_run", "long_run", "grey_nonuniformity", "run_nonuniformity", "run_percentage")


def run_length_matrix(lines: NDArray[np.uint8], levels: int) -> NDArray[np.int64]:
    """Count runs of equal grey along lines.

    Parameters
    ----------
    lines
        Grey levels below ``levels``, ``(lines, length)``. Runs do not cross from one line to the next; the value
        ``levels`` marks pixels that are not there.
    levels
        Number of grey levels.

    Returns
    -------
    ndarray
        ``(levels, length)``: runs of each level and of each length from 1.
    """
    count, length = lines.shape
    # A column of a value that no pixel has ends the last run of each line.
    apart = np.full((count, length + 1), levels + 1, dtype=np.int64)
    apart[:, :length] = lines
    flat = apart.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff(np.append(starts, flat.size))
    values = flat[starts]
    real = values < levels
    matrix = np.zeros((levels, length), dtype=np.int64)
    np.add.at(matrix, (values[real], lengths[real] - 1), 1)
    return matrix


def run_length_features(image: NDArray[np.uint8], levels: int) -> NDArray[np.float64]:
    """Galloway's five statistics (see `NAMES`), each the mean over four directions.

    Parameters
    ----------
    image
        Grey levels below ``levels``, ``(height, width)``.
    levels
        Number of grey levels.
    """
    found = [_statistics(run_length_matrix(lines, levels), image.size) for lines in _directions(image, levels)]
    return np.mean(found, axis=0)


def _statistics(matrix: NDArray[np.int64], pixels: int) -> NDArray[np.float64]:
    runs = matrix.sum()
    squared = np.arange(1, matrix.shape[1] + 1, dtype=np.float64) ** 2
    by_length, by_level = matrix.sum(0), matrix.sum(1)
    return np.array(
        [
            (by_length / squared).sum() / runs,
            (by_length * squared).sum() / runs,
            (by_level.astype(np.float64) ** 2).sum() / runs,
            (by_length.astype(np.float64) ** 2).sum() / runs,
            runs / pixels,
        ]
    )


def _directions(image: NDArray[np.uint8], levels: int) -> Iterator[NDArray[np.uint8]]:
    """The image's lines at 0, 90, 45 and 135 degrees."""
    yield image
    yield image.T
    yield _diagonals(image, levels)
    yield _diagonals(image[:, ::-1], levels)


def _diagonals(image: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """Diagonals as the columns of a sheared image, padded with ``levels``."""
    height, width = image.shape
    sheared = np.full((height, height + width - 1), levels, dtype=np.uint8)
    rows = np.arange(height)[:, None]
    sheared[rows, np.arange(width)[None] + rows] = image
    return sheared.T
