"""Pictures of the demonstration that are drawn when they are needed: a screen around a B-mode image, a lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from myosono.imaging import Area

GreyPixels = NDArray[np.uint8]
_HEADING, _MARGIN, _FOOT = 40, 56, 24
_TICK_MM = 5.0


@dataclass(frozen=True)
class Screen:
    """A scanner's screen.

    Attributes
    ----------
    pixels
        uint8 ``(height, width)``.
    regions
        B-mode areas and their scale in millimetres per pixel; the second, if any, is a magnified inset.
    """

    pixels: GreyPixels
    regions: tuple[tuple[Area, float], ...]


def draw_screen(b_mode: GreyPixels, mm_per_pixel: float, lines: tuple[str, str], *, inset: bool = False) -> Screen:
    """A screen with a heading, a depth ruler, and the image as it is.

    Parameters
    ----------
    b_mode
        uint8 ``(height, width)``.
    lines
        Left and right half of the heading.
    inset
        Show the middle of the image again beside it, twice as large: a second region with a scale of its own.
    """
    height, width = b_mode.shape
    zoom = _magnified(b_mode) if inset else None
    full = _MARGIN + width + _MARGIN + (zoom.shape[1] + _MARGIN if zoom is not None else 0)
    canvas = Image.new("L", (full, _HEADING + height + _FOOT))
    draw = ImageDraw.Draw(canvas)
    draw.text((10, 12), lines[0], fill=200)
    draw.text((full - 10, 12), lines[1], fill=200, anchor="ra")
    canvas.paste(Image.fromarray(b_mode), (_MARGIN, _HEADING))
    area = Area(_HEADING, _MARGIN, _HEADING + height, _MARGIN + width)
    regions = [(area, mm_per_pixel)]
    for tick in range(int(height * mm_per_pixel / _TICK_MM) + 1):
        row = _HEADING + round(tick * _TICK_MM / mm_per_pixel)
        long = tick % 2 == 0
        draw.line([(_MARGIN - (14 if long else 8), row), (_MARGIN - 4, row)], fill=170)
        if long:
            draw.text((_MARGIN - 18, row), f"{tick * _TICK_MM:.0f}", fill=170, anchor="rm")
    if zoom is not None:
        left = _MARGIN + width + _MARGIN
        canvas.paste(Image.fromarray(zoom), (left, _HEADING))
        regions.append((Area(_HEADING, left, _HEADING + zoom.shape[0], left + zoom.shape[1]), mm_per_pixel / 2))
    return Screen(np.array(canvas), tuple(regions))


def _magnified(b_mode: GreyPixels) -> GreyPixels:
    height, width = b_mode.shape
    top, left = height // 3, width // 3
    part = Image.fromarray(b_mode[top : top + height // 4, left : left + width // 4])
    return np.array(part.resize((part.width * 2, part.height * 2), Image.Resampling.BICUBIC))


def contraction(b_mode: GreyPixels, frames: int) -> list[GreyPixels]:
    """A loop of a muscle that tightens and lets go: its depth changes by a few per cent, speckle moves along.

    Parameters
    ----------
    b_mode
        The muscle at rest, uint8 ``(height, width)``.
    frames
        How many; the loop ends where it began.
    """
    height = b_mode.shape[0]
    rest = np.arange(height, dtype=np.float32)
    loop = []
    for number in range(frames):
        squeeze = 0.04 * (1 - np.cos(2 * np.pi * number / frames)) / 2
        rows = rest + squeeze * height * np.sin(np.pi * rest / height)
        upper = np.clip(np.floor(rows).astype(np.intp), 0, height - 2)
        part = (rows - upper).clip(0, 1)[:, None]
        loop.append((b_mode[upper] * (1 - part) + b_mode[upper + 1] * part).round().astype(np.uint8))
    return loop


def draw_lung(seed: int, height: int = 498, width: int = 447) -> GreyPixels:
    """What a probe on the chest shows, for the gate to refuse: a bright pleural line and its reverberations, no muscle.

    Parameters
    ----------
    seed
        Of the speckle.
    """
    rng = np.random.default_rng(seed)
    depth = np.arange(height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    pleura = 0.2 * height + 10 * across**2
    echo = 70 * np.exp(-depth / (0.09 * height)) + 6 * np.exp(-depth / (0.5 * height))
    for order, strength in enumerate((230, 120, 75, 45), start=1):
        echo = echo + strength * np.exp(-(((depth - order * pleura) / 4) ** 2))
    for centre in rng.uniform(-0.8, 0.8, 3):  # comet tails
        beam = np.exp(-(((across - centre) / 0.03) ** 2)) * (depth > pleura)
        echo = echo + 60 * beam * np.exp(-depth / height)
    grain = rng.rayleigh(0.8, (height // 3 + 1, width // 2 + 1)).astype(np.float32)
    speckle = np.asarray(Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray(np.clip(echo * speckle, 0, 255), dtype=np.uint8)
