"""Curves against strength: one panel a degradation, one line a model, with intervals over patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from myosono.errors import RunError
from myosono.evaluation.figures.style import DASHES, QUIET, colours, drawing, grid, to_svg
from myosono.robustness.result import STRESS_LEVELS, STRESS_METRICS, StressResult, StressRow

METRIC_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "macro-AUC",
    "ece": "calibration error (ECE)",
    "nll": "negative log-likelihood (nats)",
}

_COLUMNS = 4
_STANDALONE = (
    "<style>svg{--ink:#1b1f23;--quiet:#57606a;--line:#d0d7de;--paper:#fff;"
    "--figure-font:'DejaVu Sans',sans-serif;background:#fff}</style>"
)


def draw_stress(result: StressResult, level: str, metric: str) -> str:
    """All degradations of one metric at one level, as SVG.

    Parameters
    ----------
    level
        ``image`` or ``patient``.
    metric
        One of `METRIC_TITLES`.
    """
    ways, columns = result.degradations, min(_COLUMNS, len(result.degradations))
    rows = -(-len(ways) // columns)
    # A lone panel would be narrower than its own legend.
    with drawing(max(2.3 * columns, 4.0), 2.25 * rows + 0.35) as figure:
        panels = np.asarray(figure.subplots(rows, columns, squeeze=False, sharey=True)).ravel()
        for number, (axes, way) in enumerate(zip(panels, ways, strict=False)):
            _panel(axes, result, way["name"], level, metric)
            title = way["title"].removeprefix("Device preset: ")
            axes.set_title(title[:1].upper() + title[1:], fontsize=9.5)
            axes.set_xlabel(way["unit"], fontsize=7.5)
            if number % columns == 0:
                axes.set_ylabel(METRIC_TITLES[metric], fontsize=8)
        for axes in panels[len(ways) :]:
            axes.set_visible(False)
        if metric != "nll":
            panels[0].set_ylim(*_limits(result, level, metric))
        else:
            panels[0].set_ylim(bottom=0)
        _legend(figure, panels[0], result)
        title = METRIC_TITLES[metric]
        said = f"{title[:1].upper()}{title[1:]} at {level} level against strength of degradation."
        return to_svg(figure, said)


def write_figures(result: StressResult, folder: str | Path) -> list[Path]:
    """Write each metric at each level as an SVG file that stands alone; return the paths.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    folder, written = Path(folder), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for level in STRESS_LEVELS:
            for metric in STRESS_METRICS:
                path = folder / f"{level}_{metric}.svg"
                opening, rest = draw_stress(result, level, metric).split(">", 1)
                path.write_text(f"{opening}>{_STANDALONE}{rest}\n", encoding="utf-8")
                written.append(path)
    except OSError as error:
        raise RunError(f"cannot be written ({error.strerror})", path=folder) from error
    return written


def _panel(axes: Axes, result: StressResult, way: str, level: str, metric: str) -> None:
    grid(axes, "y")
    palette = colours([model.name for model in result.models])
    for model, dash in zip(result.models, DASHES * len(result.models), strict=False):
        rows = list(result.select(model=model.name, degradation=way, level=level, metric=metric))
        values = [_number(row.estimate.value) for row in rows]
        places = np.arange(len(rows))
        axes.fill_between(
            places,
            [_number(row.estimate.lo) for row in rows],
            [_number(row.estimate.hi) for row in rows],
            color=palette[model.name],
            alpha=0.14,
            linewidth=0,
        )
        axes.plot(places, values, color=palette[model.name], linestyle=dash, lw=1.5, marker="o", ms=3, label=model.name)
    _strengths(axes, rows)


def _strengths(axes: Axes, rows: list[StressRow]) -> None:
    """Strengths at equal distances, since some go by steps and others by factors; a line at the unchanged image."""
    axes.set_xticks(range(len(rows)), [f"{row.strength:g}".replace("-", "−") for row in rows], fontsize=7)
    for place, row in enumerate(rows):
        if row.unchanged:
            axes.axvline(place, color=QUIET, lw=0.8, ls=(0, (2, 2)), zorder=1)


def _limits(result: StressResult, level: str, metric: str) -> tuple[float, float]:
    if metric != "ece":
        return 0.0, 1.03
    rows = result.select(level=level, metric=metric)
    return 0.0, 1.05 * max(max(_bounded(row.estimate.hi), _bounded(row.estimate.value)) for row in rows)


def _bounded(value: float | None) -> float:
    return 0.01 if value is None else max(value, 0.01)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _legend(figure: Figure, axes: Axes, result: StressResult) -> None:
    if len(result.models) > 1:
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=8)
