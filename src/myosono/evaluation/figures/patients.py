"""Every patient's probabilities, so that one sees at a glance which patients fail, and towards what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from myosono.evaluation.figures.style import (
    INK,
    PAPER,
    QUIET,
    colours,
    drawing,
    legend_columns,
    text_width,
    to_svg,
    wrapped,
)
from myosono.evaluation.result import PatientResult

_WIDTH = 9.6
_HEIGHT = 2.75
_MARGIN = 46.0
"""Of the probabilities' axis, in points."""
_SEPARATED = 120
_NARROWEST = 4
_TITLE, _LEGEND = 10.5, 9.5
_LINES = 2

Groups = Mapping[str, list[PatientResult]]


def draw_patients(patients: Sequence[PatientResult], classes: Sequence[str]) -> str:
    """One column per patient, grouped by target, from most to least probable target; misread patients are marked.

    Each column stacks the class probabilities, the target's own at the bottom. Where the names of many classes would
    run into each other, the groups take several rows.
    """
    found = {name: _sorted([one for one in patients if one.target == name]) for name in classes}
    groups: Groups = {name: group for name, group in found.items() if group}
    colour = colours(classes)
    rows = _rows(groups)
    marks = [*classes, "decided wrongly"]
    columns = legend_columns(marks, _LEGEND, 72 * _WIDTH)
    height = _HEIGHT * len(rows) + 0.2 * (-(-len(marks) // columns) - 1)
    with drawing(_WIDTH, height) as figure:
        parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0] if len(rows) > 1 else [figure]
        for part, row in zip(parts, rows, strict=True):
            part.patch.set_alpha(0)
            widths = [_wide(group) for group in row.values()]
            panels = part.subplots(1, len(row), sharey=True, squeeze=False, width_ratios=widths)[0]
            for axes, (target, group) in zip(panels, row.items(), strict=True):
                _draw_group(axes, target, group, colour)
                axes.set_title("\n".join(_title(target, group, row)))
            panels[0].set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
            panels[0].set_ylabel("probability")
        _legend(figure, classes, colour, columns)
        said = ", ".join(
            f"{name}: {sum(one.label == name for one in group)} of {len(group)} right" for name, group in groups.items()
        )
        return to_svg(figure, f"Class probabilities of each patient. {said}.")


def _draw_group(axes: Axes, target: str, group: list[PatientResult], colour: Mapping[str, str]) -> None:
    order = [target, *[name for name in colour if name != target]]
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
    axes.set(xlim=(-0.5, _wide(group) - 0.5), ylim=(0, 1.12))
    middle = (len(group) - 1) / 2  # of its columns: the panel of a small group is wider than they are
    right = f"{len(group) - len(wrong)} of {len(group)} right"
    axes.annotate(right, (middle, 0), xytext=(0, -5), textcoords="offset points", ha="center", va="top", color=QUIET)
    axes.patch.set_alpha(0)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(length=0)


def _wide(group: Sequence[PatientResult]) -> int:
    return max(len(group), _NARROWEST)


def _rows(groups: Groups) -> list[Groups]:
    """The groups in as few rows as leave every title its room."""
    rows: list[Groups] = [groups]
    for count in range(1, len(groups) + 1):
        size = -(-len(groups) // count)
        rows = [dict(list(groups.items())[start : start + size]) for start in range(0, len(groups), size)]
        if all(_fits(target, group, row) for row in rows for target, group in row.items()):
            break
    return rows


def _room(group: list[PatientResult], row: Groups) -> float:
    """Width of a group's panel in points."""
    share = _wide(group) / sum(map(_wide, row.values()))
    return share * (72 * _WIDTH - _MARGIN) - 8


def _title(target: str, group: list[PatientResult], row: Groups) -> list[str]:
    return wrapped(target, _TITLE, _room(group, row), weight="bold")


def _fits(target: str, group: list[PatientResult], row: Groups) -> bool:
    lines, room = _title(target, group, row), _room(group, row)
    below = text_width(f"{len(group)} of {len(group)} right", _LEGEND)
    return len(lines) <= _LINES and max(below, *(text_width(line, _TITLE, "bold") for line in lines)) <= room


def _sorted(group: list[PatientResult]) -> list[PatientResult]:
    return sorted(group, key=lambda one: (-one.probabilities[one.target], one.patient_id))


def _legend(figure: Figure, classes: Sequence[str], colour: Mapping[str, str], columns: int) -> None:
    marks: list[Patch | Line2D] = [Patch(color=colour[name], label=name) for name in classes]
    marks.append(Line2D([], [], ls="", marker="v", color=INK, ms=5, mew=0, label="decided wrongly"))
    figure.legend(handles=marks, loc="outside lower left", ncols=columns, labelcolor=QUIET, handlelength=1)
