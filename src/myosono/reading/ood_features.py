"""Cheap statistics of a grey image by which muscle ultrasound differs from other pictures.

Muscle in B-mode is a stack of layers: bright, mostly horizontal, irregular lines over speckle that is wider than deep.
Each statistic measures one side of that: grey levels, spectrum by scale and direction, where the image is bright and
busy, how it is layered, and how far its speckle correlates.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.float64]

_SIDE = 128
_GRID = 4
_RINGS = (0.01, 0.03, 0.06, 0.12, 0.24, 0.5)
_SECTORS = 3
_LAGS = (1, 2, 4, 8)
_PERCENTILES = (5, 25, 50, 75, 95)
_NATIVE = 256
_TINY = 1e-6

STATISTICS: tuple[str, ...] = (
    "grey_mean", "grey_sd", "grey_skewness", *(f"grey_p{q}" for q in _PERCENTILES),
    "share_black", "share_white", "grey_entropy",
    *(f"{kind}_{i}" for i in range(len(_RINGS) - 1) for kind in ("scale", *(f"direction{j}" for j in range(_SECTORS)))),
    *(f"{kind}_{i}{j}" for kind in ("bright", "busy") for i in range(_GRID) for j in range(_GRID)),
    "row_share", "column_share", "mirror", "local_variation", "coherence", "layering", "layering_sd",
    *(f"{axis}_{lag}" for axis in ("axial", "lateral") for lag in _LAGS), "edge_tail",
)  # fmt: skip
"""Names of the statistics, in the order of `image_statistics`."""


def image_statistics(image: NDArray[np.uint8]) -> Values:
    """Statistics of one B-mode area.

    Parameters
    ----------
    image
        uint8 ``(height, width)``, at least 16 by 16 pixels.

    Returns
    -------
    Values
        float64 ``(len(STATISTICS),)``, all finite.

    Examples
    --------
    >>> values = dict(zip(STATISTICS, image_statistics(np.full((64, 64), 51, np.uint8)), strict=True))
    >>> [round(float(values[name]), 3) for name in ("grey_mean", "share_black", "grey_entropy")]
    [0.2, 0.0, 0.0]
    """
    small = np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), np.float64) / 255
    found = [*_grey_levels(image, small), *_spectrum(small), *_layout(small), *_layers(small), *_speckle(image)]
    return np.nan_to_num(np.array(found, dtype=np.float64))


def _grey_levels(image: NDArray[np.uint8], small: Values) -> list[float]:
    mean, sd = small.mean(), small.std() + _TINY
    away = small - mean
    counts = np.bincount((image >> 3).ravel(), minlength=32) / image.size
    present = counts[counts > 0]
    return [
        mean,
        sd,
        float(np.mean(away * away * away) / sd**3),
        *np.percentile(small, _PERCENTILES),
        counts[0],
        counts[-1],
        float(-(present * np.log2(present)).sum()) + 0.0,
    ]


@cache
def _rings_and_sectors() -> list[list[NDArray[np.bool_]]]:
    """For each ring of spatial frequency, the ring and its sectors, from vertical to horizontal structures."""
    fy, fx = np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.rfftfreq(_SIDE), indexing="ij")
    radius, angle = np.hypot(fy, fx), np.arctan2(np.abs(fy), fx) / (np.pi / 2) * _SECTORS
    sector = np.minimum(angle.astype(np.intp), _SECTORS - 1)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(_RINGS)]
    return [[ring, *(ring & (sector == number) for number in range(_SECTORS))] for ring in rings]


def _spectrum(small: Values) -> list[float]:
    window = np.hanning(_SIDE)
    power = np.abs(np.fft.rfft2((small - small.mean()) * np.outer(window, window))) ** 2
    sums = [[float(power[mask].sum()) + 1e-9 for mask in masks] for masks in _rings_and_sectors()]
    total = sum(ring for ring, *_ in sums)
    return [value for ring, *rest in sums for value in (np.log(ring / total), *(np.log(s / ring) for s in rest))]


def _layout(small: Values) -> list[float]:
    step = _SIDE // _GRID
    blocks = small.reshape(_GRID, step, _GRID, step)
    mean, sd = small.mean(), small.std() + _TINY
    bright = (blocks.mean(axis=(1, 3)) - mean) / sd
    busy = np.log((blocks.std(axis=(1, 3)) + 0.01) / (sd + 0.01))
    return [*bright.ravel(), *busy.ravel()]


def _layers(small: Values) -> list[float]:
    mean, variance = small.mean(), small.var() + _TINY
    mirror = float(np.mean((small - mean) * (small[:, ::-1] - mean)) / variance)
    blocks = small.reshape(32, 4, 32, 4)
    local, spread = blocks.mean(axis=(1, 3)), blocks.std(axis=(1, 3))
    shown = local > 0.05
    variation = float(np.median(spread[shown] / local[shown])) if shown.any() else 0.0
    down, right = np.gradient(local)
    xx, yy, xy = (z.reshape(8, 4, 8, 4).mean(axis=(1, 3)) for z in (right * right, down * down, right * down))
    energy = xx + yy + _TINY
    coherence, layering = np.sqrt((xx - yy) ** 2 + 4 * xy**2) / energy, (yy - xx) / energy
    return [
        float(small.mean(axis=1).var() / variance),
        float(small.mean(axis=0).var() / variance),
        mirror,
        variation,
        float(coherence.mean()),
        float(layering.mean()),
        float(layering.std()),
    ]


def _speckle(image: NDArray[np.uint8]) -> list[float]:
    """Autocorrelation at the image's own resolution, in its middle, and how heavy the tail of its edges is."""
    height, width = image.shape
    centre = image[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4][:_NATIVE, :_NATIVE].astype(np.float64)
    away = centre - centre.mean()
    variance = float(np.mean(away * away)) + _TINY
    lagged = [
        float(np.mean(part[lag:] * part[:-lag])) / variance if part.shape[0] > lag else 0.0
        for part in (away, away.T)
        for lag in _LAGS
    ]
    edges = centre[2:, 2:] - centre[:-2, :-2]
    squares = np.square(edges - edges.mean())
    tail = np.log(float(np.mean(squares * squares)) / (float(squares.mean()) ** 2 + _TINY) + _TINY)
    return [*lagged, float(tail)]
