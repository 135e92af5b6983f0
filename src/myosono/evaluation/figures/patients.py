"""Every patient's probabilities, so that one sees at a glance which patients fail, and towards what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from myosono.evaluation.figures.style import INK, PAPER, QUIET, colours, drawing, to_svg
from myosono.evaluation.result import PatientResult

_WIDTH = 9.6
_SEPARATED = 120


def draw_patients(patients: Sequence[PatientResult], classes: Sequence[str]) -> str:
    """One column per patient, grouped by target, from most to least probable target; misread patients are marked.

    Each column stacks the class probabilities, the target's own at the bottom.
    """
    groups = {name: _sorted([one for one in patients if one.target == name]) for name in classes}
    groups = {name: group for name, group in groups.items() if group}
    colour = colours(classes)
    with drawing(_WIDTH, 2.75) as figure:
        panels = figure.subplots(
            1, len(groups), sharey=True, squeeze=False, width_ratios=[max(len(group), 4) for group in groups.values()]
        )[0]
        for axes, (target, group) in zip(panels, groups.items(), strict=True):
            order = [target, *[name for name in classes if name != target]]
            edges = np.arange(len(group) + 1) - 0.5
            bottom = np.zeros(len(group))
            for name in order:
                top = bottom + [one.probabilities[name] for one in group]
                axes.stairs(top, edges, baseline=bottom, fill=True, color=colour[name], lw=0)
                bottom = top
            if len(group) <= _SEPARATED:
                axes.vlines(edges[1:-1], 0, 1.005, color=PAPER, lw=0.7)
            wrong = [place for place, one in enumerate(group) if one.label != one.target]
            axes.scatter(wrong, [1.06] * len(wrong), marker="v", s=22, color=INK, linewidths=0, clip_on=False)
            axes.set(xlim=(-0.5, max(len(group), 4) - 0.5), ylim=(0, 1.12), title=target)
            middle = (len(group) - 1) / 2  # of its columns: the panel of a small group is wider than they are
            right = f"{len(group) - len(wrong)} of {len(group)} right"
            axes.annotate(
                right, (middle, 0), xytext=(0, -5), textcoords="offset points", ha="center", va="top", color=QUIET
            )
            axes.patch.set_alpha(0)
            axes.spines[:].set_visible(False)
            axes.set_xticks([])
            axes.tick_params(length=0)
        panels[0].set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        panels[0].set_ylabel("probability")
        _legend(figure, classes, colour)
        said = ", ".join(
            f"{name}: {sum(one.label == name for one in group)} of {len(group)} right" for name, group in groups.items()
        )
        return to_svg(figure, f"Class probabilities of each patient. {said}.")


def _sorted(group: list[PatientResult]) -> list[PatientResult]:
    return sorted(group, key=lambda one: (-one.probabilities[one.target], one.patient_id))


def _legend(figure: Figure, classes: Sequence[str], colour: dict[str, str]) -> None:
    marks: list[Patch | Line2D] = [Patch(color=colour[name], label=name) for name in classes]
    marks.append(Line2D([], [], ls="", marker="v", color=INK, ms=5, mew=0, label="decided wrongly"))
    figure.legend(handles=marks, loc="outside lower left", ncols=len(marks), labelcolor=QUIET, handlelength=1)
