"""Receiver operating characteristic curves, each class against the rest."""

from __future__ import annotations

from myosono.evaluation.figures.style import DASHES, LINE, colours, drawing, grid, to_svg
from myosono.evaluation.result import LevelMetrics


def draw_roc(level: LevelMetrics, title: str) -> str:
    """One level's curves as SVG, with each class's AUC in the legend; of two classes only the second is drawn."""
    names = list(level.per_class)
    shown = names if len(names) > 2 else names[1:]
    colour = colours(names)
    said = []
    with drawing(3.7, 3.5) as figure:
        axes = figure.add_subplot()
        grid(axes)
        axes.plot([0, 1], [0, 1], color=LINE, lw=1)
        for place, name in enumerate(shown):
            curve, auc = level.roc[name], level.per_class[name].auc.value
            if auc is None:
                continue
            said.append(f"{name} {auc:.2f}")
            axes.plot(
                curve.false_positive_rate,
                curve.true_positive_rate,
                color=colour[name],
                lw=1.9,
                ls=DASHES[place % len(DASHES)],
                label=f"{name}  {auc:.2f}",
            )
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=title)
        axes.set(xlabel="1 − specificity", ylabel="sensitivity")
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        if said:
            axes.legend(loc="lower right", title="AUC", alignment="left", fontsize=9, title_fontsize=9)
        return to_svg(figure, f"ROC curves, {title}. AUC: {', '.join(said) or 'undefined'}.")
