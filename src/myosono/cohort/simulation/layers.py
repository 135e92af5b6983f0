"""Where the layers lie in one shot: curves along x and the masks between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Array, Fields, ramp
from .site import Site


@dataclass(frozen=True, slots=True)
class Layers:
    """Depths in mm, shape ``(columns,)``; masks 0 to 1, shape ``(rows, columns)``.

    ``in_muscle`` covers a superficial muscle too, ``in_target`` only the one examined (and what lies below);
    ``between`` is the fascia between the two; ``bone`` is ``None`` where no
    bone lies in the field of view, ``bone_seen`` is 0 to 1 per column.
    """

    fascia: Array
    between: Array | None
    deep: Array
    bone: Array | None
    bone_seen: Array
    in_fat: Array
    in_muscle: Array
    in_target: Array
    below: Array
    target_depth_mm: Array


def lay(site: Site, fields: Fields) -> Layers:
    """Lay the layers of ``site`` as the probe of this shot sees them."""
    grid = fields.grid
    z = grid.z
    x = grid.x + np.float32(fields.shift_mm[1])
    press = np.float32(np.exp(0.06 * fields.shot.standard_normal()))
    tilt = np.float32(site.tilt + 0.025 * fields.shot.standard_normal())

    skin = np.float32(site.skin_mm) + np.float32(0.10) * fields.curve(5.0)
    bulge = np.square(x / np.float32(19.0)) * np.float32(site.bulge_mm)
    fascia = skin + np.float32(site.fat_mm) * press + bulge + tilt * x + _wave(fields, 0.5, 0.10)
    fascia = np.maximum(fascia, skin + np.float32(0.7))
    top = fascia + np.float32(site.superficial_mm) * (1 + np.float32(0.08) * fields.curve(9.0))
    flatten = 0.25 if site.view else 0.6
    deep = top + np.float32(site.thickness_mm) - np.float32(flatten) * bulge + _wave(fields, 0.8, 0.10)
    deep = np.maximum(deep, top + np.float32(2.0))

    bone, bone_seen = _bone(site, fields, x, deep)
    return Layers(
        fascia=fascia,
        between=top if site.superficial_mm > 0 else None,
        deep=deep,
        bone=bone,
        bone_seen=bone_seen,
        in_fat=ramp(z - skin, 0.25),
        in_muscle=ramp(z - fascia, 0.35),
        in_target=ramp(z - top, 0.35),
        below=ramp(z - deep, 0.4),
        target_depth_mm=z - top,
    )


def _bone(site: Site, fields: Fields, x: Array, deep: Array) -> tuple[Array | None, Array]:
    """Edge of a round shaft across, of a straight one along, and how much of it each column sees."""
    if site.bone_mm is None:
        return None, np.zeros_like(x)
    grid = fields.grid
    radius = np.float32(site.bone_radius_mm)
    away = np.zeros_like(x) if site.view else np.minimum(np.abs(x - np.float32(site.bone_off_mm)) / radius, 1)
    middle = float(np.mean(deep)) + np.float32(site.bone_mm) + np.float32(site.tilt) * x
    edge = middle + radius * (1 - np.sqrt(1 - np.square(away))) + _wave(fields, 0.6, 0.10)
    edge = np.maximum(edge, deep + np.float32(0.4))
    seen = ramp(np.float32(0.72) - away + np.float32(0.08) * fields.curve(2.0), 0.4)
    return (None if float(edge.min()) > grid.depth_mm else edge.astype(np.float32)), seen


def _wave(fields: Fields, coarse_mm: float, fine_mm: float) -> Array:
    return np.float32(coarse_mm) * fields.curve(9.0) + np.float32(fine_mm) * fields.curve(3.0)
