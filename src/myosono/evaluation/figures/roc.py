"""Receiver operating characteristic curves, each class against the rest."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from myosono.evaluation.figures.style import (
    LINE,
    colours,
    dashes,
    drawing,
    grid,
    legend_columns,
    text_width,
    to_svg,
)
from myosono.evaluation.result import LevelMetrics
from myosono.evaluation.wording import share_text

_WIDTH, _HEIGHT = 3.7, 3.5
_FONT = 9.0
_MOST_INSIDE = 5
_WIDEST_INSIDE = 88.0
"""In points; of more or wider names the legend would lie over the curves."""


def draw_roc(level: LevelMetrics, title: str) -> str:
    """One level's curves as SVG, with each class's AUC in the legend; of two classes only the second is drawn."""
    names = list(level.per_class)
    shown = names if len(names) > 2 else names[1:]
    values = {name: auc for name in shown if (auc := level.per_class[name].auc.value) is not None}
    said = {name: f"{name}  {share_text(auc)}" for name, auc in values.items()}
    widest = max((text_width(text, _FONT) for text in said.values()), default=0.0)
    inside = len(said) <= _MOST_INSIDE and widest <= _WIDEST_INSIDE
    columns = legend_columns(list(said.values()), _FONT, 72 * _WIDTH)
    below = 0 if inside else 0.56 + 0.19 * -(-len(said) // columns)
    with drawing(_WIDTH, _HEIGHT + below) as figure:
        axes = figure.add_subplot()
        _draw_curves(axes, level, said)
        axes.set(title=title)
        if said:
            _draw_legend(axes, figure, columns=None if inside else columns)
        told = ", ".join(f"{name} {share_text(auc)}" for name, auc in values.items())
        return to_svg(figure, f"ROC curves, {title}. AUC: {told or 'undefined'}.")


def _draw_curves(axes: Axes, level: LevelMetrics, said: dict[str, str]) -> None:
    names = list(level.per_class)
    colour, shown = colours(names), names if len(names) > 2 else names[1:]
    grid(axes)
    axes.plot([0, 1], [0, 1], color=LINE, lw=1)
    for place, name in enumerate(shown):
        if name in said:
            curve = level.roc[name]
            axes.plot(
                curve.false_positive_rate,
                curve.true_positive_rate,
                color=colour[name],
                lw=1.9,
                ls=dashes(place),
                label=said[name],
            )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="1 − specificity", ylabel="sensitivity")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def _draw_legend(axes: Axes, figure: Figure, *, columns: int | None) -> None:
    """Inside, where there is room below the curves; else below the axes in columns."""
    if columns is None:
        axes.legend(loc="lower right", title="AUC", alignment="left", fontsize=_FONT, title_fontsize=_FONT)
        return
    figure.legend(
        loc="outside lower left", title="AUC", alignment="left", fontsize=_FONT, title_fontsize=_FONT, ncols=columns
    )
