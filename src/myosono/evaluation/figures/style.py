"""One look for every figure: colours, type, and SVG small enough to sit inside a page.

Figures are drawn without pyplot (no global state) in stand-in colours for ink, lines and paper. These become CSS
variables in the SVG, so that one figure serves a light page, a dark page and print.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font_names
from matplotlib.textpath import TextPath

INK, QUIET, LINE, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
ACCENT, SECOND = "#0072b2", "#d55e00"
_VARIABLES = {INK: "var(--ink)", QUIET: "var(--quiet)", LINE: "var(--line)", PAPER: "var(--paper)"}

# Okabe & Ito 2008: told apart with every common colour vision deficiency.
_PALETTE = ("#0072b2", "#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#d55e00", "#999999", "#f0e442")
DASHES: tuple[object, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))

# For names that DejaVu lacks, by what systems bring along.
_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
)

_RC: Any = {
    "font.size": 9.5,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called "$x$"
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "svg.hashsalt": "myosono",
}


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each class, in the classes' order; past the palette's end its colours come again, darker.

    Examples
    --------
    >>> found = colours([f"class {number}" for number in range(12)])
    >>> found["class 0"], found["class 8"], len(set(found.values()))
    ('#0072b2', '#004165', 12)
    """
    return {name: _shade(*divmod(place, len(_PALETTE))) for place, name in enumerate(names)}


def _shade(again: int, place: int) -> str:
    red, green, blue = to_rgb(_PALETTE[place])
    darker = 0.57**again
    return str(to_hex((darker * red, darker * green, darker * blue)))


def dashes(place: int) -> Any:
    """A line style for each class; two of one colour, lighter and darker, never have the same."""
    return DASHES[(place + place // len(_PALETTE)) % len(DASHES)]


def legend_columns(names: Sequence[str], size: float, width: float) -> int:
    """Columns of a legend that fits into a width.

    Parameters
    ----------
    size, width
        Of the font and of the legend, in points.

    Examples
    --------
    >>> legend_columns(["Normal", "IBM"], 9, 600), legend_columns(["Immune-mediated necrotizing myopathy"] * 5, 9, 600)
    (2, 2)
    """
    widest = max((text_width(name, size) for name in names), default=0.0) + 4.6 * size  # handle and gaps
    return max(1, min(len(names), int(width / widest)))


@cache
def font_families() -> list[str]:
    """The font, and what is installed of fonts for names that it lacks; an absent one would be told on the terminal."""
    there = set(get_font_names())
    return ["DejaVu Sans", *[name for name in _FALLBACKS if name in there]]


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of one line in points.

    Parameters
    ----------
    size
        Of the font, in points.
    """
    if not text.strip():
        return 0.0
    with warnings.catch_warnings():
        _quieten()
        path = TextPath((0, 0), text, size=size, prop=FontProperties(family=font_families(), weight=weight))
    return float(path.get_extents().width)


def wrapped(text: str, size: float, width: float, weight: str = "normal") -> list[str]:
    """Lines no wider than ``width`` points where words and hyphens allow it.

    Examples
    --------
    >>> wrapped("Immune-mediated necrotizing myopathy", 10.5, 150), wrapped("Normal", 10.5, 10)
    (['Immune-mediated', 'necrotizing myopathy'], ['Normal'])
    """
    lines = [""]
    for part in re.findall(r"[^\s-]+-?|-|\s+", " ".join(text.split())):
        if lines[-1] and text_width((lines[-1] + part).rstrip(), size, weight) > width:
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
    return [line.rstrip() for line in lines if line.strip()] or [text]


def _quieten() -> None:
    # Text stays text in the SVG: the reader's browser has the glyphs that matplotlib measures without.
    warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from", category=UserWarning)


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure of ``width`` x ``height`` inches in the house style."""
    with mpl.rc_context({**_RC, "font.family": font_families()}), warnings.catch_warnings():
        _quieten()
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        yield figure


def grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Quiet grid lines, no ticks."""
    axes.patch.set_alpha(0)
    axes.grid(True, axis=axis)
    axes.tick_params(length=0)


def to_svg(figure: Figure, description: str) -> str:
    """The figure as an ``<svg>`` element with a text alternative.

    Parameters
    ----------
    description
        What a reader who cannot see the figure should know.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_RC, "font.family": font_families()}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--figure-font)", svg)
    # Several figures share a page: only ids that something refers to are kept, and those are hashes of content.
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([\w-]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: _shorter(tag[0]), svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    width = re.search(r'width="([\d.]+)pt"', svg)
    limit = f' style="max-width: {float(width[1]) * 4 / 3:.0f}px"' if width else ""
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+pt"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", svg, count=1)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{label}"{limit} ', svg, count=1).strip()


def _shorter(tag: str) -> str:
    """A tag without what a browser does not need; hundredths of a point are enough."""
    tag = re.sub(r"(\d+\.\d\d)\d+", r"\1", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag)
    return re.sub(r"\s+", " ", tag)
