"""Dead leaves: opaque shapes of all sizes that hide one another, the plainest model of a natural image.

Shapes whose sizes follow a power law give the edges, textures and spectrum of photographs (Lee, Mumford and Huang 2001,
Int J Comput Vis 41:35), and networks trained on nothing else see surprisingly well (Baradad et al. 2021, NeurIPS).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from myosono.cohort.drawn.speckle import Grey, smooth_noise

_SMALLEST, _LARGEST, _POWER = 0.015, 0.35, 2.0


def draw_leaves(count: int, *, side: int = 256, seed: int = 0) -> Iterator[Grey]:
    """Pictures uint8 ``(side, side)``; same seed, same pictures."""
    for number in range(count):
        yield _picture(np.random.default_rng([seed, number]), side)


def _picture(rng: np.random.Generator, side: int) -> Grey:
    image = Image.new("L", (side, side), int(rng.integers(0, 200)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(20, 300))):
        _leaf(pen, rng, side)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.0)))
    values = np.asarray(image, dtype=np.float64)
    if rng.random() < 0.7:  # grain of the width of a pixel to that of speckle, with or against the light
        grain = smooth_noise(rng, side, side, rng.uniform(0.5, 2.0), rng.uniform(0.5, 4.0))
        values = values * (1 + rng.uniform(0.05, 0.5) * grain)
    return np.clip(values, 0, 255).astype(np.uint8)


def _leaf(pen: ImageDraw.ImageDraw, rng: np.random.Generator, side: int) -> None:
    # Inverse of the cumulative power law r^-3 between the two bounds: as many small leaves in any window.
    low, high = _SMALLEST**-_POWER, _LARGEST**-_POWER
    radius = side * (low - rng.random() * (low - high)) ** (-1 / _POWER)
    centre = rng.uniform(0, side, 2)
    shade = int(rng.integers(0, 256))
    kind = rng.integers(3)
    if kind == 0:
        half = np.array([radius, radius * rng.uniform(0.4, 1.0)])
        pen.ellipse([*(centre - half).tolist(), *(centre + half).tolist()], fill=shade)
        return
    corners = int(rng.integers(3, 5)) if kind == 1 else int(rng.integers(5, 12))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    lengths = radius * rng.uniform(0.5, 1.0, corners)
    points = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    pen.polygon([(float(x), float(y)) for x, y in points], fill=shade)
