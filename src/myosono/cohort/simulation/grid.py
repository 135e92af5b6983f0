"""The pixel grid of one image, and the random fields drawn on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

ROWS = 498
"""Rows of the real crops."""
APERTURE_MM = 38.3
"""Length of the probe's face: the same for all depths, so a deeper image is a narrower one."""
COLUMNS = (477, 447, 320)
"""Columns of the real crops, from the shallowest setting to the deepest."""

_MARGIN_MM = 12.0
_SPLINE_STD = 151.0 / 315.0  # in two dimensions, of a cubic B-spline with white coefficients


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels and their size. The origin is the middle of the probe's face; z points into the tissue."""

    rows: int
    columns: int
    pixel_mm: float

    @classmethod
    def for_columns(cls, columns: int, scale: float = 1.0) -> Grid:
        """The grid of a crop with ``columns`` columns at full size, at ``scale`` of its pixels."""
        return cls(round(ROWS * scale), round(columns * scale), APERTURE_MM / (columns * scale))

    @property
    def depth_mm(self) -> float:
        """Depth of the last row."""
        return self.rows * self.pixel_mm

    @property
    def z(self) -> Array:
        """Depth in mm, shape ``(rows, 1)``."""
        return (np.arange(self.rows, dtype=np.float32)[:, None] + np.float32(0.5)) * np.float32(self.pixel_mm)

    @property
    def x(self) -> Array:
        """Lateral position in mm, shape ``(columns,)``, zero in the middle."""
        return (np.arange(self.columns, dtype=np.float32) - np.float32(self.columns / 2)) * np.float32(self.pixel_mm)


def _weights(length: int, spacing: float, offset: float) -> tuple[NDArray[np.intp], Array]:
    """Cubic B-splines with knots ``spacing`` pixels apart: first coefficient of each pixel, and its four weights."""
    position = (np.arange(length) + offset) / spacing
    knot = position.astype(np.intp)
    t = (position - knot).astype(np.float32)
    rest = 1 - t
    cubes = (rest**3 / 6, (0.5 * t - 1) * t * t + 2 / 3, (0.5 * rest - 1) * rest * rest + 2 / 3, t**3 / 6)
    return knot, np.stack(cubes, axis=1).astype(np.float32)


def _basis(length: int, spacing: float, offset: float) -> Array:
    """The same as a matrix, shape ``(length, coefficients)``."""
    knot, weights = _weights(length, spacing, offset)
    basis = np.zeros((length, int(knot[-1]) + 4), dtype=np.float32)
    basis[np.arange(length)[:, None], knot[:, None] + np.arange(4)] = weights
    return basis


@dataclass(frozen=True, slots=True)
class Fields:
    """Smooth random fields that belong to a site and are met again, displaced and altered, in each of its shots.

    Coefficients of cubic B-splines come from the site's generator and, for a share of the variance, from the
    shot's. Two matrix products then make a field of any correlation length, which is what makes it cheap.

    Parameters
    ----------
    grid
        Pixels.
    site, shot
        Generators.
    kept
        Share of variance that comes from the site, 0 to 1.
    shift_mm
        Displacement of the probe along (z, x), at most 10 mm.
    """

    grid: Grid
    site: np.random.Generator
    shot: np.random.Generator
    kept: float
    shift_mm: tuple[float, float]

    def plane(self, axial_mm: float, lateral_mm: float) -> Array:
        """A field with zero mean and unit variance, shape ``(rows, columns)``.

        Parameters
        ----------
        axial_mm, lateral_mm
            Distance of the spline knots, about half of the correlation's full width.
        """
        pixel = self.grid.pixel_mm
        down = _basis(self.grid.rows, max(axial_mm / pixel, 1.0), (_MARGIN_MM + self.shift_mm[0]) / pixel)
        across = _basis(self.grid.columns, max(lateral_mm / pixel, 1.0), (_MARGIN_MM + self.shift_mm[1]) / pixel)
        # One draw size whatever the shift, or displaced shots would not meet the same field.
        size = (
            int((self.grid.depth_mm + 2 * _MARGIN_MM) / max(axial_mm, pixel)) + 6,
            int((APERTURE_MM + 2 * _MARGIN_MM) / max(lateral_mm, pixel)) + 6,
        )
        drawn = self._coefficients(size)[: down.shape[1], : across.shape[1]]
        return np.asarray((down @ drawn) @ across.T / np.float32(_SPLINE_STD), dtype=np.float32)

    def curve(self, lateral_mm: float) -> Array:
        """A line with zero mean and unit variance, shape ``(columns,)``."""
        pixel = self.grid.pixel_mm
        knot, weights = _weights(self.grid.columns, lateral_mm / pixel, (_MARGIN_MM + self.shift_mm[1]) / pixel)
        drawn = self._coefficients((int((APERTURE_MM + 2 * _MARGIN_MM) / lateral_mm) + 6,))
        line = np.sum(drawn[knot[:, None] + np.arange(4)] * weights, axis=1)
        return np.asarray(line / np.float32(_SPLINE_STD**0.5), dtype=np.float32)

    def _coefficients(self, size: tuple[int, ...]) -> Array:
        lasting = self.site.standard_normal(size, dtype=np.float32)
        passing = self.shot.standard_normal(size, dtype=np.float32)
        return np.float32(self.kept**0.5) * lasting + np.float32((1 - self.kept) ** 0.5) * passing


def ramp(distance: Array, width: float) -> Array:
    """A soft step from 0 to 1 over ``width``, centred where ``distance`` is 0."""
    return np.asarray(np.clip(distance * np.float32(1 / width) + np.float32(0.5), 0, 1), dtype=np.float32)


def shear(image: Array, rows_down: Array, *, wrap: bool = False) -> Array:
    """Move each column down by a fractional number of rows.

    Parameters
    ----------
    image
        Shape ``(rows, columns)``.
    rows_down
        Shape ``(columns,)``.
    wrap
        What leaves below enters above; otherwise the edge rows are repeated.
    """
    rows = image.shape[0]
    whole = np.floor(rows_down)
    part = (rows_down - whole).astype(np.float32)
    flat = np.ascontiguousarray(image).ravel()
    key = whole.astype(np.int32).tobytes()
    upper, lower = (np.take(flat, _sources(rows, key, back, wrap)) for back in (0, 1))
    lower -= upper
    lower *= part
    lower += upper
    return np.asarray(lower, dtype=np.float32)


# The compounding shears every image of a device and a depth setting alike.
@lru_cache(maxsize=16)
def _sources(rows: int, rows_down: bytes, back: int, wrap: bool) -> NDArray[np.intp]:
    """Flat index of the pixel that lands on each pixel."""
    down = np.frombuffer(rows_down, dtype=np.int32)
    row = np.arange(rows, dtype=np.int32)[:, None] - (down + np.int32(back))[None, :]
    inside = np.mod(row, np.int32(rows)) if wrap else np.clip(row, 0, rows - 1)
    return np.asarray(inside * len(down) + np.arange(len(down), dtype=np.int32), dtype=np.intp)
