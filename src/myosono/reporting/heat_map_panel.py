"""Example images with their maps side by side, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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
    figure = Figure(figsize=(columns * _SIDE, len(examples) * (_SIDE + 0.28) + 0.35), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(examples), columns, squeeze=False)
    for row, example in zip(grid, examples, strict=True):
        row[0].imshow(example.image, cmap="gray", vmin=0, vmax=255)
        for axes, method in zip(row[1:], SHOWN, strict=True):
            draw = shrinkage_over if method == "shrinkage" else heat_over
            axes.imshow(draw(example.image, example.maps[method]))
        for axes in row:
            axes.set_axis_off()
        said = f"{example.truth}; explained: {example.explained}, {example.probability:.0%}"
        row[0].set_title(said, fontsize=7.5, loc="left")
    for axes, method in zip(grid[0][1:], SHOWN, strict=True):
        title = study.title(method)
        axes.set_title(title.replace("Shrinkage (diagnostic)", "Shrinkage: diagnostic"), fontsize=8, loc="left")
    return figure
