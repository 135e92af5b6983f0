"""Example images with their maps side by side, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from myosono.evaluation.figures.style import font_families
from myosono.faithfulness import Example, HeatMapStudy
from myosono.reading.overlay import heat_over, shrinkage_over

SHOWN = ("class_map", "grad_cam_earlier", "shrinkage", "random")
_SIDE = 1.75


def draw_panel(study: HeatMapStudy, examples: Sequence[Example]) -> Figure:
    """One row an example: the image, the class map as overlays draw it, Grad-CAM, shrinkage, a random map.

    Parameters
    ----------
    examples
        At least one.
    """
    columns = 1 + len(SHOWN)
    layout = ConstrainedLayoutEngine(h_pad=0.11, w_pad=0.03)
    figure = Figure(figsize=(columns * _SIDE, len(examples) * (_SIDE + 0.22) + 0.3), layout=layout, dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(examples), columns, squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        row[0].imshow(example.image, cmap="gray", vmin=0, vmax=255)
        for axes, method in zip(row[1:], SHOWN, strict=True):
            draw = shrinkage_over if method == "shrinkage" else heat_over
            axes.imshow(draw(example.image, example.maps[method]))
        for axes in row:
            axes.set_axis_off()
        _note(row[0], f"{example.truth}; explained: {example.explained}, {example.probability:.0%}")
        _note(row[1 + SHOWN.index("shrinkage")], f"brightest: {example.maps['shrinkage'].max():.0%} removed")
    for axes, title in zip(grid[0], ("Image", *map(study.title, SHOWN)), strict=True):
        axes.set_title(title, fontsize=8, loc="left")
    return figure


def _note(axes: Axes, text: str) -> None:
    # Out of the layout: a long class name must not push the columns apart.
    said = axes.text(0, -0.03, text, transform=axes.transAxes, fontsize=7.5, fontfamily=font_families())
    said.set(va="top", ha="left", in_layout=False)
