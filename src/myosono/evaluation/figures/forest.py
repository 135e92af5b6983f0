"""Paired differences from the flagship, each with its interval: what crosses the line may be chance."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from myosono.evaluation.comparison.result import PairedDifference
from myosono.evaluation.figures.style import ACCENT, INK, QUIET, SECOND, drawing, grid, to_svg

CERTAIN = 0.05
_MARGIN = 0.06
_TOLD, _P = 14, 178  # points to the right of the axes


def draw_forest(differences: Sequence[PairedDifference], *, flagship: str, what: str, recipe: bool = False) -> str:
    """One line a contender, the best at the top; to the left of zero the flagship is better.

    Coloured where the corrected p-value is below 0.05.

    Parameters
    ----------
    differences
        Of one pool of conditions, one level and one metric; those without a value are left out.
    flagship, what
        The flagship's label, and what differs, for the axis and the text alternative.
    recipe
        Name the contenders' recipes.
    """
    known = [(one.difference.value, one) for one in differences if one.difference.value is not None]
    shown = sorted(known, key=lambda pair: (pair[0], pair[1].contender))
    rows = max(len(shown), 1)
    with drawing(9.4, 1.05 + 0.255 * rows) as figure:
        axes = figure.add_subplot()
        grid(axes, "x")
        axes.axvline(0, color=INK, lw=1)
        for place, (value, one) in enumerate(shown):
            _draw_row(axes, place, value, one)
        axes.set_yticks(range(len(shown)), [one.contender.label(recipe=recipe) for _, one in shown])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set(ylim=(-0.7, rows - 0.2), xlim=_limits(differences))
        axes.set_xlabel(f"difference in {what} (left of 0: {flagship} is better)")
        axes.spines["left"].set_visible(False)
        for column, heading in ((_TOLD, "difference, 95 % interval"), (_P, "corrected p")):
            _beside(axes, rows - 0.25, column, heading, QUIET)
        said = "; ".join(f"{one.contender.label(recipe=recipe)} {value:+.3f}" for value, one in shown)
        return to_svg(figure, f"Difference in {what} from {flagship}: {said or 'none'}.")


def _draw_row(axes: Axes, place: int, value: float, one: PairedDifference) -> None:
    lo, hi = one.difference.lo, one.difference.hi
    certain = one.p_holm is not None and one.p_holm < CERTAIN
    colour = (ACCENT if value < 0 else SECOND) if certain else INK
    told = _signed(value)
    if lo is not None and hi is not None:
        axes.plot([lo, hi], [place, place], color=colour, lw=1.5, solid_capstyle="butt")
        told += f" ({_signed(lo)} to {_signed(hi)})"
    axes.plot([value], [place], marker="o", ms=5, color=colour)
    _beside(axes, place, _TOLD, told, colour)
    if one.p_holm is not None:
        _beside(axes, place, _P, f"{one.p_holm:.3f}", colour)


def _beside(axes: Axes, place: float, column: float, text: str, colour: str) -> None:
    axes.annotate(
        text,
        (1, place),
        xycoords=("axes fraction", "data"),
        xytext=(column, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontsize=8.5,
    )


def _limits(differences: Sequence[PairedDifference]) -> tuple[float, float]:
    ends = [
        end
        for one in differences
        for end in (one.difference.lo, one.difference.value, one.difference.hi)
        if end is not None
    ]
    lo, hi = min([0.0, *ends]), max([0.0, *ends])
    width = max(hi - lo, 0.02)
    return lo - max(_MARGIN * width, 0.005), hi + max(_MARGIN * width, 0.005)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
