"""Curves of deletion and insertion, and similarity against the layers randomised."""

from __future__ import annotations

from matplotlib.axes import Axes

from myosono.evaluation import Estimate
from myosono.evaluation.figures.style import DASHES, QUIET, colours, drawing, grid, to_svg
from myosono.faithfulness.result import CURVES, HeatMapStudy, Measure, Metric, Way

CURVE_TITLES: dict[Metric, str] = {
    "deletion": "Deletion: lower is better",
    "insertion": "Insertion into blur: higher is better",
    "insertion_grey": "Insertion into grey: higher is better",
}
_BANDED = ("class_map", "random")
_HIDDEN = ("class_map_alone", "grad_cam")
"""Nearly the same order of pixels as the class map: lines on top of its own."""

_MEASURES: dict[Measure, str] = {"rank": "rank correlation", "ssim": "structural similarity"}
_WAYS: dict[Way, str] = {"cascading": "from the classifier down to", "independent": "this layer alone"}


def draw_curves(study: HeatMapStudy) -> str:
    """Mean curves of the methods, as SVG; bands for the class map and random maps."""
    shown = [method for method in study.methods if method.name not in _HIDDEN]
    palette = colours([method.name for method in shown])
    with drawing(9.2, 3.3) as figure:
        panels = figure.subplots(1, len(CURVES), sharey=True)
        for axes, metric in zip(panels, CURVES, strict=True):
            grid(axes)
            for method, dash in zip(shown, DASHES * 2, strict=False):
                line = next(row for row in study.curves if (row.method, row.metric) == (method.name, metric))
                if method.name in _BANDED:
                    _band(axes, line.shares, line.points, palette[method.name])
                axes.plot(
                    line.shares,
                    [_number(point.value) for point in line.points],
                    color=palette[method.name],
                    linestyle=dash,
                    lw=1.5,
                    label=method.title,
                )
            axes.set_title(CURVE_TITLES[metric], fontsize=9.5)
            axes.set_xlabel("share of pixels, most relevant first", fontsize=8)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
        panels[0].set_ylabel("probability of the explained class", fontsize=8)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8)
        return to_svg(figure, "Probability of the explained class as pixels are deleted or inserted, by kind of map.")


def draw_randomisation(study: HeatMapStudy) -> str:
    """Similarity of maps to the trained network's against the layers randomised, as SVG; dotted: chance."""
    names = [method for method in study.methods if any(study.select(method=method.name))]
    palette = colours([method.name for method in names])
    with drawing(9.2, 5.4) as figure:
        panels = figure.subplots(2, 2, sharex="col", sharey="row")
        for row, measure in enumerate(_MEASURES):
            for column, way in enumerate(_WAYS):
                axes = panels[row, column]
                grid(axes, "y")
                for method, dash in zip(names, DASHES, strict=False):
                    _layers(axes, study, method.name, method.title, way, measure, palette[method.name], dash)
                axes.set_ylim(_lowest(study, measure), 1.05)
                axes.set_title(f"{_MEASURES[measure].capitalize()}, {_WAYS[way]}", fontsize=9.5)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=8)
        return to_svg(figure, "Similarity of heat maps before and after weights were drawn anew, layer by layer.")


def _lowest(study: HeatMapStudy, measure: Measure) -> float:
    """Where the axis of a measure begins: low enough for every line and band, and the same in both panels of a row."""
    ends = [
        end
        for row in study.select(measure=measure)
        for end in (row.estimate.value, row.estimate.lo)
        if end is not None and end == end
    ]
    return min([-0.35 if measure == "rank" else 0.0, *(end - 0.05 for end in ends if end < 0)])


def _layers(
    axes: Axes, study: HeatMapStudy, name: str, title: str, way: Way, measure: Measure, colour: str, dash: object
) -> None:
    rows = list(study.select(method=name, way=way, measure=measure))
    places = [row.position for row in rows]
    values = [_number(row.estimate.value) for row in rows]
    axes.fill_between(
        places,
        [_number(row.estimate.lo) for row in rows],
        [_number(row.estimate.hi) for row in rows],
        color=colour,
        alpha=0.12,
        linewidth=0,
    )
    axes.plot(places, values, color=colour, linestyle=dash, marker="o", ms=3, lw=1.5, label=title)
    for row in study.select(method=name, way="chance", measure=measure):
        axes.axhline(_number(row.estimate.value), color=colour, lw=0.9, ls=(0, (1, 2)), zorder=1)
    axes.axhline(0, color=QUIET, lw=0.6, zorder=0)
    axes.set_xticks(places, [row.layer.replace("stages.", "block ") for row in rows], fontsize=7, rotation=30)


def _band(axes: Axes, shares: tuple[float, ...], points: tuple[Estimate, ...], colour: str) -> None:
    axes.fill_between(
        shares,
        [_number(point.lo) for point in points],
        [_number(point.hi) for point in points],
        color=colour,
        alpha=0.13,
        linewidth=0,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
