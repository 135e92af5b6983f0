"""Reliability diagrams: how often a decision of a given confidence is right, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from myosono.evaluation.figures.style import ACCENT, INK, QUIET, SECOND, drawing, grid, to_svg
from myosono.evaluation.result import CalibrationLevel, ReliabilityBin


def draw_reliability(level: CalibrationLevel, title: str, *, after: bool) -> str:
    """Accuracy against confidence, with the number of units in each bin below, as SVG."""
    bins: Sequence[ReliabilityBin] = level.reliability_after if after else level.reliability_before
    ece = (level.after if after else level.before).ece
    colour = ACCENT if after else SECOND
    with drawing(2.95, 3.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        grid(upper)
        upper.plot([0, 1], [0, 1], color=QUIET, lw=0.8, zorder=2)
        _points(upper, [part for part in bins if part.count], colour)
        upper.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="share right", title=title)
        interval = "" if ece.lo is None or ece.hi is None else f" ({ece.lo:.3f}–{ece.hi:.3f})"
        text = f"ECE {ece.value:.3f}{interval}"
        upper.text(0.97, 0.08, text, ha="right", color=INK, fontsize=9)
        lower.patch.set_alpha(0)
        lower.bar(
            [(part.lo + part.hi) / 2 for part in bins],
            [part.count for part in bins],
            width=0.9 * (bins[0].hi - bins[0].lo),
            color=QUIET,
            alpha=0.55,
        )
        most = max(part.count for part in bins)
        lower.set(xlabel="confidence", ylabel="count", ylim=(0, most * 1.08))
        lower.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        lower.set_yticks([0, most], ["0", str(most)])
        lower.tick_params(length=0)
        return to_svg(figure, f"Reliability diagram, {title}: expected calibration error {text.removeprefix('ECE ')}.")


def _points(axes: Axes, bins: Sequence[ReliabilityBin], colour: str) -> None:
    for part in bins:
        low, high = part.accuracy.lo, part.accuracy.hi
        if low is not None and high is not None:
            # As wide as the bin, so that a gap between bins is not read as an interval.
            axes.fill_between([part.lo, part.hi], low, high, color=colour, alpha=0.16, linewidth=0)
    most = max(part.count for part in bins)
    axes.scatter(
        np.array([part.confidence for part in bins], dtype=np.float64),
        np.array([part.accuracy.value for part in bins], dtype=np.float64),
        s=[14 + 60 * part.count / most for part in bins],
        color=colour,
        linewidths=0,
        zorder=3,
    )
