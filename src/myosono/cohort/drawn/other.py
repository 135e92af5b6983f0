"""Drawn pictures that are not muscle, for the gate to learn from (outlier exposure; Hendrycks et al. 2019, ICLR).

Real images of other organs mostly may not be built upon; so their signs are drawn here from textbook descriptions:
pleura, reverberations and rib shadows of lung; fat lobules, glandular tissue and lesions of breast; vessels and cysts
in solid organs; pages of text; noise and shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from myosono.cohort.drawn.speckle import Grey, Values, as_sector, display, smooth_noise

_LETTERS = list("abcdefghi jklmn opqrst uvwxyz ABC 0123")


def draw_outliers(per_kind: int, *, seed: int = 0) -> Iterator[tuple[str, Grey]]:
    """Pictures of five kinds, ``(kind, uint8 (height, width))``; same seed, same pictures.

    Parameters
    ----------
    per_kind
        Pictures of each kind: ``lung``, ``breast``, ``organ``, ``page``, ``plain``.
    seed
        Each kind draws from its own stream.
    """
    kinds: dict[str, Callable[[np.random.Generator], Grey]] = {
        "lung": lambda rng: _scan(rng, _lung, 0.5),
        "breast": lambda rng: _scan(rng, _breast, 0.05),
        "organ": lambda rng: _scan(rng, _organ, 0.6),
        "page": _page,
        "plain": _plain,
    }
    for number, (kind, draw) in enumerate(kinds.items()):
        rng = np.random.default_rng([seed, number])
        for _ in range(per_kind):
            yield kind, np.ascontiguousarray(draw(rng))


def _scan(rng: np.random.Generator, anatomy: Callable[..., Values], convex: float) -> Grey:
    height, width = (int(side) for side in rng.integers(220, 420, 2))
    image = display(rng, anatomy(rng, height, width))
    if rng.random() >= convex:
        return image
    image = as_sector(rng, image)
    cut = rng.random() < 0.5
    return image[height // 10 : 9 * height // 10, width // 6 : 5 * width // 6] if cut else image


def _grid(height: int, width: int) -> tuple[Values, Values]:
    return np.arange(height)[:, None] / height, np.arange(width)[None] / width


def _lung(rng: np.random.Generator, height: int, width: int) -> Values:
    y, x = _grid(height, width)
    pleura = rng.uniform(0.1, 0.35) + rng.uniform(0, 0.04) * np.sin(rng.uniform(1, 4) * x + rng.uniform(0, 6))
    pleura = pleura - rng.uniform(0, 0.12) * 4 * (x - 0.5) ** 2 * rng.choice([-1, 0, 1])
    below = y > pleura
    wall = -14 + 6 * smooth_noise(rng, height, width, height / 80, width / 8)
    air = -22 - rng.uniform(0, 35) * (y - pleura) + 3 * smooth_noise(rng, height, width, height / 20, width / 20)
    thick = rng.uniform(0.006, 0.018)
    level = np.where(below, air, wall) + rng.uniform(16, 30) * np.exp(-(((y - pleura) / thick) ** 2))
    if rng.random() < 0.6:  # A-lines: reverberations of the pleura
        for order in range(2, 6):
            width_of_line = thick * rng.uniform(0.8, 1.5)
            level = level + rng.uniform(6, 20) * 0.75**order * np.exp(-(((y - order * pleura) / width_of_line) ** 2))
    for _ in range(rng.integers(0, 6)):  # B-lines: rays from the pleura
        centre, spread, lean = rng.uniform(0.05, 0.95), rng.uniform(0.006, 0.05), rng.uniform(-0.3, 0.3)
        ray = np.exp(-(((x - centre - lean * (y - pleura)) / (spread * (1 + y))) ** 2))
        ray = ray * np.exp(-rng.uniform(0, 1.5) * (y - pleura))
        level = level + np.where(below, rng.uniform(6, 24) * ray, 0)
    for _ in range(rng.integers(0, 3)):  # shadows of ribs
        centre, half = rng.choice([rng.uniform(0, 0.3), rng.uniform(0.7, 1)]), rng.uniform(0.06, 0.15)
        shadow = 25 / (1 + np.exp(np.clip((np.abs(x - centre) - half) / 0.01, -50, 50)))
        level = level - np.where(y > pleura - 0.05, shadow, 0)
    if rng.random() < 0.3:  # consolidation
        filled = smooth_noise(rng, height, width, height / 10, width / 10) > rng.uniform(0.2, 1)
        level = np.where(below & filled, -14 + 3 * smooth_noise(rng, height, width, 3, 3), level)
    return np.asarray(level)


def _breast(rng: np.random.Generator, height: int, width: int) -> Values:
    y, x = _grid(height, width)
    lobules = smooth_noise(rng, height, width, height / rng.uniform(12, 30), width / rng.uniform(8, 20))
    level = np.where(y < rng.uniform(0.02, 0.06), -4, -16) + 5 * lobules
    septa = smooth_noise(rng, height, width, height / rng.uniform(8, 20), width / rng.uniform(6, 14))
    level = level + rng.uniform(3, 10) * np.exp(-((septa / 0.15) ** 2))
    start = rng.uniform(0.2, 0.5) + 0.08 * np.sin(5 * x + rng.uniform(0, 6))
    gland = rng.uniform(2, 10) + 3 * smooth_noise(rng, height, width, height / 40, width / 40)
    level = level + np.where((y > start) & (y < start + rng.uniform(0.15, 0.4)), gland, 0)
    level = level - np.where(y > rng.uniform(0.6, 0.9), rng.uniform(0, 25) * (y - 0.5), 0)
    return _lesion(rng, level, y, x) if rng.random() < 0.75 else level


def _lesion(rng: np.random.Generator, level: Values, y: Values, x: Values) -> Values:
    row, column = rng.uniform(0.25, 0.65), rng.uniform(0.25, 0.75)
    tall, wide = rng.uniform(0.06, 0.25), rng.uniform(0.07, 0.28)
    angle = np.arctan2(y - row, x - column)
    lobed = 1 + rng.uniform(0, 0.2) * np.sin(rng.integers(2, 9) * angle + rng.uniform(0, 6))
    radius = np.hypot((y - row) / tall, (x - column) / wide) / lobed
    height, width = level.shape
    inside = -30 + rng.uniform(-8, 12) + 2 * smooth_noise(rng, height, width, 6, 6)
    behind = (np.abs(x - column) < wide * 0.8) & (y > row + tall)
    return np.where(radius < 1, inside, level) + np.where(behind, rng.choice([-18, -8, 6, 10]), 0)


def _organ(rng: np.random.Generator, height: int, width: int) -> Values:
    y, x = _grid(height, width)
    texture = smooth_noise(rng, height, width, height / rng.uniform(5, 30), width / rng.uniform(5, 30))
    level = -16 - rng.uniform(-10, 25) * (y - 0.3) + rng.uniform(0, 4) * texture
    for _ in range(rng.integers(0, 7)):  # vessels, cysts, chambers
        row, column = rng.uniform(0.1, 0.95, 2)
        radius = np.hypot((y - row) / rng.uniform(0.02, 0.3), (x - column) / rng.uniform(0.02, 0.3))
        wall = rng.uniform(0, 14) * np.exp(-(((radius - 1) / 0.08) ** 2))
        level = level + np.where(radius < 1, rng.uniform(-35, -10), 0) + wall
    return level


def _page(rng: np.random.Generator) -> Grey:
    height, width = (int(side) for side in rng.integers(200, 500, 2))
    paper, ink = (0, 255) if rng.random() < 0.3 else (255, 0)
    image = Image.new("L", (width, height), paper)
    pen, size, row = ImageDraw.Draw(image), int(rng.integers(9, 30)), 5.0
    font = ImageFont.load_default(size)
    while row < height - size:
        if rng.random() < 0.85:
            line = "".join(rng.choice(_LETTERS, int(rng.integers(10, 80))))
            pen.text((8 + int(rng.integers(0, 30)), row), line, fill=ink, font=font)
        row += size * rng.uniform(1.1, 1.8)
    return np.asarray(image)


def _plain(rng: np.random.Generator) -> Grey:
    """White, smooth or 1/f noise, chequers, or shapes: what photographs and drawings are made of."""
    height, width = (int(side) for side in rng.integers(150, 500, 2))
    kind, mean, contrast = rng.integers(5), rng.uniform(20, 230), rng.uniform(10, 80)
    field: Values
    if kind == 0:
        field = np.asarray(rng.normal(size=(height, width)))
    elif kind == 1:
        field = smooth_noise(rng, height, width, rng.uniform(2, 50), rng.uniform(2, 50))
    elif kind == 2:
        side = int(rng.integers(4, 50))
        odd = (np.arange(height)[:, None] // side + np.arange(width)[None] // side) % 2
        field = np.where(odd == 1, 1.0, -1.0)
    elif kind == 3:
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]) + 1e-3
        power_law = np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width))) / frequency ** rng.uniform(0.8, 1.6))
        field = np.asarray(power_law.real, dtype=np.float64) / float(power_law.real.std())
    else:
        field = _shapes(rng, height, width)
    return np.clip(mean + contrast * field, 0, 255).astype(np.uint8)


def _shapes(rng: np.random.Generator, height: int, width: int) -> Values:
    image = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 40)):
        left, top = rng.uniform(-0.2, 1, 2) * (width, height)
        right, bottom = (left, top) + rng.uniform(0.05, 0.6, 2) * (width, height)
        draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        draw([left, top, right, bottom], fill=int(rng.integers(0, 256)))
    noise = smooth_noise(rng, height, width, 1, 1)
    return (np.asarray(image) - 127.0) / 60 + 0.2 * rng.random() * noise
