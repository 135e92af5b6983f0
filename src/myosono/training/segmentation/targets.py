"""From hand-drawn aponeuroses to the borders of the muscle between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MIN_SPAN = 0.3
"""A line counts from this share of the image's width."""

_GAP = 0.04
"""Pieces whose straight continuations meet within this share of the image's height belong to one line."""


@dataclass(frozen=True)
class Line:
    """One aponeurosis: first and last row (inclusive) in each column, NaN where it is not drawn."""

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Columns in which the line is drawn."""
        return ~np.isnan(self.upper)

    @property
    def depth(self) -> float:
        """Mean row."""
        return float(np.nanmean(self.upper + self.lower) / 2)


def muscle_borders(mask: NDArray[Any]) -> NDArray[np.float32] | None:
    """Inner edges of the two most superficial aponeuroses.

    Parameters
    ----------
    mask
        ``(height, width)``, above 127 on an aponeurosis.

    Returns
    -------
    array or None
        Float32 ``(2, width)``: first row of muscle and first row below it, in pixels, NaN in columns where either
        line is not drawn; None where fewer than two lines are drawn.
    """
    lines = find_lines(mask)
    if len(lines) < 2:
        return None
    borders = np.stack([lines[0].lower + 1, lines[1].upper])
    thin = ~(borders[1] - borders[0] >= 1)
    borders[:, thin] = np.nan
    return None if np.isnan(borders).all() else borders.astype(np.float32)


def find_lines(mask: NDArray[Any]) -> list[Line]:
    """Aponeuroses of a mask from the surface down; pieces of one interrupted line are joined, scraps are dropped."""
    height, width = mask.shape
    labels, count = ndimage.label(mask > 127, structure=np.ones((3, 3)))
    pieces = [_trace(labels == number) for number in range(1, count + 1)]
    pieces.sort(key=lambda piece: (-int(piece.drawn.sum()), piece.depth))
    lines: list[Line] = []
    for piece in pieces:
        if piece.drawn.sum() < 0.03 * width:
            continue
        for number, line in enumerate(lines):
            if _continues(line, piece, _GAP * height):
                lines[number] = _join(line, piece)
                break
        else:
            lines.append(piece)
    wide = [line for line in lines if line.drawn.sum() >= MIN_SPAN * width]
    return sorted(wide, key=lambda line: line.depth)


def _trace(piece: NDArray[np.bool_]) -> Line:
    drawn = piece.any(axis=0)
    upper = np.where(drawn, piece.argmax(axis=0), np.nan)
    lower = np.where(drawn, piece.shape[0] - 1 - piece[::-1].argmax(axis=0), np.nan)
    return Line(upper, lower)


def _continues(line: Line, piece: Line, tolerance: float) -> bool:
    if (line.drawn & piece.drawn).sum() > 0.2 * piece.drawn.sum():
        return False
    columns = np.flatnonzero(line.drawn)
    middle = (line.upper + line.lower)[columns] / 2
    slope, start = np.polyfit(columns, middle, 1)
    where = np.flatnonzero(piece.drawn)
    away = np.abs((piece.upper + piece.lower)[where] / 2 - (slope * where + start))
    return bool(np.median(away) <= tolerance)


def _join(line: Line, piece: Line) -> Line:
    return Line(np.fmin(line.upper, piece.upper), np.fmax(line.lower, piece.lower))
