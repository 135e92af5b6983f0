"""What a network scores against what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from myosono.evaluation.figures.style import ACCENT, INK, LINE, QUIET, drawing, grid, text_width, to_svg

_FONT = 7.5
_RADII = (7, 13, 20, 28, 38, 50, 64, 80)
_MOST_WIDE = 0.45
"""Of the axes' width: a longer name takes two lines."""
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
        axes.xaxis.set_major_locator(FixedLocator(cost_ticks(*axes.get_xlim())))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", "\u202f")))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel=f"{cost} (logarithmic)", ylabel=score)
        # The names need to know where the points come to lie, so the layout is settled before they are placed.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _name(axes, sorted(points, key=lambda one: (not one.flagship, one not in best, -one.score, one.label)))
        said = "; ".join(f"{point.label} {point.score:.3f} at {point.cost:.3g}" for point in points)
        return to_svg(figure, f"{score} against {cost}: {said}.")


def cost_ticks(lo: float, hi: float) -> list[float]:
    """Round numbers between ``lo`` and ``hi`` (above 0) that label a logarithmic axis, however short it is.

    Examples
    --------
    >>> cost_ticks(19, 97), cost_ticks(3, 400), cost_ticks(0.5, 90_000)
    ([20.0, 40.0, 60.0, 80.0], [5.0, 10.0, 20.0, 50.0, 100.0, 200.0], [1.0, 10.0, 100.0, 1000.0, 10000.0])
    """
    decades = np.log10(hi / lo)
    if decades <= 1:
        found = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(lo, hi)
    else:
        subs = (1.0, 2.0, 5.0) if decades <= 3 else (1.0,)
        found = LogLocator(subs=subs, numticks=12).tick_values(lo, hi)
    return [float(value) for value in found if lo <= value <= hi and value > 0]


def _name(axes: Axes, points: Sequence[Point]) -> None:
    """Write each name where it is nearest to its point without covering a point or another name, if it can be."""
    scale = axes.figure.dpi / 72
    places = axes.transData.transform([(one.cost, one.score) for one in points]) if points else np.empty((0, 2))
    taken = [Bbox.from_extents(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in places]
    frame = axes.get_window_extent()
    for point, (x, y) in zip(points, places, strict=True):
        text = _broken(point.label, _MOST_WIDE * frame.width / scale)
        best: tuple[float, Bbox, float] | None = None
        for radius, angle in product(_RADII, _ANGLES):
            box = _box(text, x, y, radius * scale, float(np.radians(angle)), scale)
            box = _into(box, frame)
            covered = _covered(box, taken)
            if best is None or covered < best[0]:
                best = (covered, box, radius)
            if not covered:
                break
        if best is not None:
            taken.append(best[1])
            _write(axes, point, text, best[1], joined=best[2] > _RADII[1])


def _broken(label: str, most: float) -> str:
    """A label in two lines where one would be wider than ``most`` points, broken where it reads best."""
    if text_width(label, _FONT) <= most:
        return label
    breaks = [place for place, sign in enumerate(label, start=1) if sign in " _-·" and place < len(label)]
    middle = min(breaks or [len(label) // 2], key=lambda place: abs(place - len(label) / 2))
    return f"{label[:middle].rstrip()}\n{label[middle:].lstrip()}"


def _box(text: str, x: float, y: float, radius: float, angle: float, scale: float) -> Bbox:
    """Where a text would lie beside a point, in pixels."""
    lines = text.split("\n")
    width = max(text_width(line, _FONT) for line in lines) * scale
    half = 0.62 * _FONT * scale * len(lines)
    dx, dy = radius * np.cos(angle), radius * np.sin(angle)
    left = x + dx - (0 if dx > scale else width if dx < -scale else width / 2)
    return Bbox.from_extents(left, y + dy - half, left + width, y + dy + half)


def _into(box: Bbox, frame: Bbox) -> Bbox:
    """The box, moved into the frame."""
    right = max(frame.x0 - box.x0, 0) or min(frame.x1 - box.x1, 0)
    up = max(frame.y0 - box.y0, 0) or min(frame.y1 - box.y1, 0)
    return box.translated(right, up)


def _covered(box: Bbox, taken: Sequence[Bbox]) -> float:
    """How much of what is drawn already a box would cover, in square pixels."""
    common = (Bbox.intersection(box, other) for other in taken if box.overlaps(other))
    return sum(part.width * part.height for part in common if part is not None)


def _write(axes: Axes, point: Point, text: str, box: Bbox, *, joined: bool) -> None:
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    scale = axes.figure.dpi / 72
    x, y = axes.transData.transform((point.cost, point.score))
    side = "left" if box.x0 > x else "right" if box.x1 < x else "center"
    across = {"left": box.x0, "right": box.x1, "center": centre[0]}[side]
    axes.annotate(
        text,
        (point.cost, point.score),
        xytext=((across - x) / scale, (centre[1] - y) / scale),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=_FONT,
        color=ACCENT if point.flagship else QUIET,
        arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.5, "shrinkA": 0, "shrinkB": 3} if joined else None,
    )
