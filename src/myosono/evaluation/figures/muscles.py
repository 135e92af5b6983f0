"""Accuracy muscle by muscle."""

from __future__ import annotations

from collections.abc import Sequence

from myosono.anatomy import MUSCLES
from myosono.evaluation.figures.style import ACCENT, INK, LINE, QUIET, drawing, grid, to_svg
from myosono.evaluation.result import MuscleMetrics


def muscle_name(code: str) -> str:
    """The muscle's name where the code is one of the protocol's, else the code.

    Examples
    --------
    >>> muscle_name("FDP"), muscle_name("soleus")
    ('flexor digitorum profundus', 'soleus')
    """
    return MUSCLES.get(code, code)


def draw_muscles(muscles: Sequence[MuscleMetrics], chance: float) -> str:
    """Balanced accuracy of each muscle's images with its 95 % interval, as SVG.

    Parameters
    ----------
    muscles
        Drawn from top to bottom.
    chance
        Balanced accuracy of guessing, marked by a line.
    """
    with drawing(7.2, 0.42 * len(muscles) + 0.95) as figure:
        axes = figure.add_subplot()
        grid(axes, "x")
        axes.axvline(chance, color=QUIET, lw=1, ls=(0, (3, 3)))
        axes.text(chance, -0.62, "chance", ha="center", va="bottom", color=QUIET, fontsize=8.5)
        for row, part in enumerate(muscles):
            found = part.balanced_accuracy
            if found.value is None:
                continue
            axes.barh(row, found.value, height=0.56, color=ACCENT, alpha=0.32)
            if found.lo is not None and found.hi is not None:
                axes.plot([found.lo, found.hi], [row, row], color=INK, lw=1.4, solid_capstyle="butt")
            axes.scatter([found.value], [row], s=26, color=ACCENT, zorder=3)
            axes.text(1.02, row, f"{found.value:.2f}", va="center", color=INK)
        axes.set(xlim=(0, 1), ylim=(len(muscles) - 0.45, -0.62), xlabel="balanced accuracy of images")
        axes.set_yticks(range(len(muscles)), [muscle_name(part.muscle) for part in muscles])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.spines["left"].set_color(LINE)
        said = ", ".join(
            f"{muscle_name(part.muscle)} {part.balanced_accuracy.value:.2f}"
            for part in muscles
            if part.balanced_accuracy.value is not None
        )
        return to_svg(figure, f"Balanced accuracy by muscle: {said}.")
