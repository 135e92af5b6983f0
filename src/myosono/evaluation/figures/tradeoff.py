"""What a network scores against what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, NullFormatter
from matplotlib.transforms import Bbox

from myosono.evaluation.figures.style import ACCENT, INK, LINE, QUIET, drawing, grid, to_svg

_FONT = 7.5
_RADII = (7, 13, 20, 28, 38, 50, 64, 80)
_ANGLES = (20, -20, 160, -160, 60, -60, 120, -120, 0, 180, 90, -90)


@dataclass(frozen=True)
class Point:
    """A network: its cost, its score, and whether it started from pretrained weights."""

    label: str
    cost: float
    score: float
    pretrained: bool = False
    flagship: bool = False


def front(points: Sequence[Point]) -> list[Point]:
    """Those that no other point matches at the same or a lower cost, from cheap to dear.

    Examples
    --------
    >>> [point.label for point in front([Point("a", 1, 0.8), Point("b", 2, 0.7), Point("c", 3, 0.9)])]
    ['a', 'c']
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.score, point.label)):
        if not kept or point.score > kept[-1].score:
            kept.append(point)
    return kept


def draw_tradeoff(points: Sequence[Point], *, cost: str, score: str) -> str:
    """Score over cost (logarithmic): up and left is better; a line joins those that nothing beats at their cost.

    Hollow marks started from pretrained weights.

    Parameters
    ----------
    points
        With costs above 0.
    cost, score
        For the axes, with units.
    """
    best = front(points)
    with drawing(5.4, 4.1) as figure:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        grid(axes)
        axes.step([one.cost for one in best], [one.score for one in best], where="post", color=LINE, lw=1.4, zorder=1)
        for point in points:
            colour = ACCENT if point.flagship else INK
            face = "none" if point.pretrained else colour
            size = 42 if point.flagship else 20
            axes.scatter([point.cost], [point.score], s=size, edgecolors=colour, facecolors=face, zorder=3)
        axes.margins(0.16, 0.12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", "\u202f")))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel=f"{cost} (logarithmic)", ylabel=score)
        # The names need to know where the points come to lie, so the layout is settled before they are placed.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _name(axes, sorted(points, key=lambda one: (not one.flagship, one not in best, -one.score, one.label)))
        said = "; ".join(f"{point.label} {point.score:.3f} at {point.cost:.3g}" for point in points)
        return to_svg(figure, f"{score} against {cost}: {said}.")


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Write each name where it is nearest to its point without covering a point or another name."""
    scale = axes.figure.dpi / 72
    places = axes.transData.transform([(one.cost, one.score) for one in points]) if points else np.empty((0, 2))
    taken = [Bbox.from_extents(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in places]
    frame = axes.get_window_extent()
    for point, (x, y) in zip(points, places, strict=True):
        width = float(TextPath((0, 0), point.label, size=_FONT).get_extents().width) * scale
        for radius, angle in product(_RADII, _ANGLES):
            dx, dy = radius * np.cos(np.radians(angle)), radius * np.sin(np.radians(angle))
            left = x + dx * scale - (0 if dx > 1 else width if dx < -1 else width / 2)
            half = 0.62 * _FONT * scale
            box = Bbox.from_extents(left, y + dy * scale - half, left + width, y + dy * scale + half)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                _write(axes, point, (float(dx), float(dy)), joined=radius > _RADII[1])
                break


def _write(axes: Axes, point: Point, shift: tuple[float, float], *, joined: bool) -> None:
    side = "left" if shift[0] > 1 else "right" if shift[0] < -1 else "center"
    axes.annotate(
        point.label,
        (point.cost, point.score),
        xytext=shift,
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=_FONT,
        color=ACCENT if point.flagship else QUIET,
        arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.5, "shrinkA": 0, "shrinkB": 3} if joined else None,
    )
