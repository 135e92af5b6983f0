"""Perimysium: short curved dashes across the fibres, long oblique streaks along them."""

from __future__ import annotations

import numpy as np

from .grid import Array, Fields, ramp, shear
from .site import Site


def dashes(fields: Fields, axial_mm: float, lateral_mm: float, width: float, *, share: float = 0.5) -> Array:
    """The "starry" pattern of a transverse view: walls of a foam, seen where they face the beam.

    The zero crossings of a smooth field form closed curved walls. A second field decides where a wall is thick
    enough to be seen.

    Parameters
    ----------
    fields
        Random fields.
    axial_mm, lateral_mm
        Size of the cells.
    width
        Thickness of the walls, in standard deviations of the field.
    share
        Rough share of the plane in which walls are visible.

    Returns
    -------
    array
        0 to about 1.5, shape ``(rows, columns)``.
    """
    foam = fields.plane(axial_mm, lateral_mm)
    seen = fields.plane(1.5 * axial_mm, lateral_mm)
    wall = 1 / (1 + np.square(foam / np.float32(width)))
    return np.asarray(wall * ramp(seen - np.float32(0.9 - 1.8 * share), 1.2) * 1.2, dtype=np.float32)


def fascicles(site: Site, fields: Fields) -> Array:
    """Oblique streaks of a longitudinal view, along slightly curved fascicles.

    Returns
    -------
    array
        0 to about 1.5, shape ``(rows, columns)``.
    """
    x = fields.grid.x
    slope = np.tan(np.deg2rad(site.pennation_deg))
    bend = np.float32(0.004) * np.square(x) * np.sign(np.float32(slope))
    streaks = fields.plane(0.32 * site.septa_mm, 3.6)
    seen = fields.plane(1.2, 4.0)
    level = ramp(streaks - np.float32(0.75), 0.9) * (np.float32(0.45) + np.float32(0.75) * ramp(seen, 1.6))
    down = (np.float32(-slope) * x + bend) / np.float32(fields.grid.pixel_mm)
    return shear(level * np.float32(1.4), down)
