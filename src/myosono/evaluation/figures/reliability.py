"""Reliability diagrams: how often a decision of a given confidence is right."""

from __future__ import annotations

from collections.abc import Sequence

from myosono.evaluation.figures.style import ACCENT, INK, LINE, QUIET, SECOND, drawing, grid, to_svg
from myosono.evaluation.result import CalibrationLevel, ReliabilityBin


def draw_reliability(level: CalibrationLevel, title: str, *, after: bool) -> str:
    """Accuracy against confidence, with the number of units in each bin below, as SVG."""
    bins: Sequence[ReliabilityBin] = level.reliability_after if after else level.reliability_before
    ece = (level.after if after else level.before).ece
    colour = ACCENT if after else SECOND
    with drawing(2.95, 3.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        grid(upper)
        upper.plot([0, 1], [0, 1], color=LINE, lw=1)
        known = [part for part in bins if part.count]
        for part in known:
            # The gap itself is drawn: it is what the error sums up.
            upper.plot([part.confidence] * 2, [part.confidence, part.accuracy], color=colour, lw=1, alpha=0.45)
        most = max(part.count for part in bins)
        upper.scatter(
            [part.confidence for part in known],
            [part.accuracy for part in known],
            s=[14 + 60 * part.count / most for part in known],
            color=colour,
            linewidths=0,
            zorder=3,
        )
        upper.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="share right", title=title)
        upper.text(0.04, 0.95, f"ECE {ece:.3f}", va="top", color=INK, fontsize=9.5)
        lower.patch.set_alpha(0)
        lower.bar(
            [(part.lo + part.hi) / 2 for part in bins],
            [part.count for part in bins],
            width=0.9 * (bins[0].hi - bins[0].lo),
            color=QUIET,
            alpha=0.55,
        )
        lower.set(xlabel="confidence", ylabel="count", ylim=(0, most * 1.08))
        lower.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        lower.set_yticks([0, most], ["0", str(most)])
        lower.tick_params(length=0)
        return to_svg(figure, f"Reliability diagram, {title}: expected calibration error {ece:.3f}.")
