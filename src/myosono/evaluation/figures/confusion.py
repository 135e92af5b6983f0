"""Confusion matrices: counts, and shares of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from myosono.evaluation.figures.style import ACCENT, drawing, to_svg
from myosono.evaluation.result import LevelMetrics
from myosono.evaluation.wording import percent_text


def draw_confusion(level: LevelMetrics, title: str) -> str:
    """One level's confusion matrix as SVG: count, and percent of the row, in each cell; a dash where it has none."""
    names, counts = list(level.per_class), np.array(level.confusion)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    size = max(2.9, 0.72 * len(names) + 0.9)
    with drawing(size + 0.35, size) as figure:
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        for (row, column), share in np.ndenumerate(shares):
            # Opacity instead of a colour map: the page shows through, whether it is light or dark.
            axes.add_patch(_cell(row, column, float(np.nan_to_num(share))))
            axes.text(column, row - 0.1, f"{counts[row, column]}", ha="center", va="center", fontsize=11.5)
            axes.text(column, row + 0.21, _percent(share), ha="center", va="center", fontsize=8.5)
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), aspect="equal", title=title)
        # Long names would run into each other.
        slanted: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(names)), names, **slanted if max(map(len, names)) > 9 else {})
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="decision", ylabel="target")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        right = ", ".join(f"{name} {_percent(shares[k, k])}" for k, name in enumerate(names))
        return to_svg(figure, f"Confusion matrix, {title}. Share of each target decided rightly: {right}.")


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else percent_text(share)


def _cell(row: int, column: int, share: float) -> Rectangle:
    # Never so deep a blue that the page's own ink could not be read on it.
    face = to_rgba(ACCENT, 0.05 + 0.6 * share)
    return Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=face, edgecolor="none")
