"""Small charts as SVG, drawn by the server: they need no script, print well, and each has its table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 10, 24


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high``, with a line at each of ``ticks`` and its name."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def y(self, value: float) -> float:
        """Height in the drawing."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)


SHARES = Axis(0, 1, ((0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1, "100 %")))


@dataclass(frozen=True)
class Box:
    """Minimum, quartiles and maximum at one place of the horizontal axis."""

    minimum: float
    lower: float
    median: float
    upper: float
    maximum: float


@dataclass(frozen=True)
class Point:
    """A value and its interval."""

    value: float
    low: float
    high: float


def counts_axis(most: float) -> Axis:
    """From 0 to at least ``most``, in round steps.

    Examples
    --------
    >>> counts_axis(7).ticks
    ((0, '0'), (2, '2'), (4, '4'), (6, '6'), (8, '8'))
    """
    step = next(base * 10**power for power in range(12) for base in (1, 2, 5) if base * 10**power * 4 >= most)
    return Axis(0, 4 * step, tuple((number * step, f"{number * step:g}") for number in range(5)))


def box_chart(title: str, labels: Sequence[str], boxes: Sequence[Box | None], axis: Axis) -> Markup:
    """A box for each label: whiskers from minimum to maximum."""
    parts = []
    for place, box in enumerate(boxes):
        if box is None:
            continue
        x, half = _x(place, len(labels)), _half(len(labels))
        low, q1, q2, q3, high = (
            axis.y(value) for value in (box.minimum, box.lower, box.median, box.upper, box.maximum)
        )
        parts += [
            _line("whisker", x, high, x, low),
            _rect("box", x - half, q3, 2 * half, max(1.0, q1 - q3)),
            _line("median", x - half, q2, x + half, q2),
        ]
    return _chart(title, labels, axis, parts)


def point_chart(title: str, labels: Sequence[str], points: Sequence[Point | None], axis: Axis) -> Markup:
    """Shares with their intervals, joined where weeks follow one another."""
    parts: list[str] = []
    before: tuple[float, float] | None = None
    for place, point in enumerate(points):
        here = None if point is None else (_x(place, len(labels)), axis.y(point.value))
        if here and before:
            parts.append(_line("curve", *before, *here))
        before = here
    for place, point in enumerate(points):
        if point is not None:
            x = _x(place, len(labels))
            parts.append(_line("whisker", x, axis.y(point.high), x, axis.y(point.low)))
            parts.append(f'<circle class="point" cx="{x:.1f}" cy="{axis.y(point.value):.1f}" r="3.5"/>')
    return _chart(title, labels, axis, parts)


def stack_chart(title: str, labels: Sequence[str], stacks: Sequence[Sequence[float]], axis: Axis) -> Markup:
    """Columns of parts, one class a part (``part-0`` ...), from the bottom."""
    parts = []
    for place, stack in enumerate(stacks):
        x, half, height = _x(place, len(labels)), _half(len(labels)), 0.0
        for number, value in enumerate(stack):
            if value:
                top, bottom = axis.y(height + value), axis.y(height)
                parts.append(_rect(f"part part-{number}", x - half, top, 2 * half, bottom - top))
                height += value
    return _chart(title, labels, axis, parts)


def _x(place: int, count: int) -> float:
    return _LEFT + (place + 0.5) * (WIDTH - _LEFT - _RIGHT) / max(1, count)


def _half(count: int) -> float:
    return min(14.0, 0.32 * (WIDTH - _LEFT - _RIGHT) / max(1, count))


def _chart(title: str, labels: Sequence[str], axis: Axis, parts: Sequence[str]) -> Markup:
    grid = [
        _line("grid", _LEFT, axis.y(value), WIDTH - _RIGHT, axis.y(value))
        + _text(_LEFT - 6, axis.y(value) + 4, "end", name)
        for value, name in axis.ticks
    ]
    every = max(1, -(-len(labels) // 9))
    names = [
        _text(_x(place, len(labels)), HEIGHT - 6, "middle", name)
        for place, name in enumerate(labels)
        if (len(labels) - 1 - place) % every == 0
    ]
    body = "".join([*grid, *names, *parts])
    # All figures are numbers formatted here, all texts escaped above.
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
