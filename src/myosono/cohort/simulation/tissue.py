"""From a site to the acoustic properties of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .disease import Lesion
from .grid import Array, Fields, Grid, ramp
from .layers import Layers, lay
from .septa import dashes, fascicles
from .site import Site

_NEPER = np.float32(np.log(10) / 20)
_FAT_LOSS, _MUSCLE_LOSS, _SKIN_LOSS = 0.55, 0.85, 1.5  # two-way dB per mm at about 9 MHz


@dataclass(slots=True)
class Tissue:
    """What the beam meets.

    Parameters
    ----------
    backscatter_db
        Level of unresolved scatterers, shape ``(rows, columns)``.
    interfaces
        Complex amplitude of smooth interfaces, same shape: they reflect coherently.
    loss_db
        Two-way loss down to each pixel, same shape.
    """

    backscatter_db: Array
    interfaces: NDArray[np.complex64]
    loss_db: Array


def make_tissue(site: Site, fields: Fields, wave_per_mm: float, attenuation: float) -> Tissue:
    """Lay the layers, fill them with texture, and sum up what they absorb.

    Parameters
    ----------
    site
        Anatomy and lesion.
    fields
        Random fields of the site and the shot.
    wave_per_mm
        Two-way phase in radians per millimetre at the centre frequency.
    attenuation
        Factor on the loss in all layers.
    """
    grid = fields.grid
    layers = lay(site, fields)
    level = _blend(site, fields, layers)
    loss = _loss(site, fields, layers) * np.float32(attenuation)
    tissue = Tissue(level, np.zeros(level.shape, dtype=np.complex64), loss)
    _add_fasciae(tissue, site, fields, layers, wave_per_mm)
    _add_vessel(level, site, grid, layers)
    if layers.bone is not None:
        _add_bone(tissue, fields, layers.bone, layers.bone_seen, wave_per_mm, site.lesion.bone_db)
    return tissue


def _blend(site: Site, fields: Fields, layers: Layers) -> Array:
    """Backscatter of skin, fat, muscle and what lies below, in dB."""
    level = np.full_like(layers.in_fat, 31.0)
    level += 2.0 * fields.plane(0.15, 2.0)
    level += layers.in_fat * (_fat(site, fields) - level)
    level += layers.in_muscle * (_muscle(site, fields, layers) - level)
    below = np.float32(site.muscle_db + 1.0) + 2.4 * fields.plane(2.5, 6.0)
    below += 9.0 * dashes(fields, 0.7, 3.0, 0.35)
    return np.asarray(level + layers.below * (below - level), dtype=np.float32)


def _fat(site: Site, fields: Fields) -> Array:
    level = np.float32(site.fat_db) + 1.0 * fields.plane(1.6, 3.0) + 1.3 * fields.plane(0.5, 1.2)
    streaks = dashes(fields, 0.9, 5.5, 0.12, share=0.27)
    level += np.float32(15.0) * streaks
    if site.lesion.fat_streaks_db > 0:
        level += np.float32(site.lesion.fat_streaks_db) * dashes(fields, 0.7, 2.4, 0.22, share=0.6)
    return np.asarray(level, dtype=np.float32)


def _muscle(site: Site, fields: Fields, layers: Layers) -> Array:
    """Fibres and septa by view; the lesion only in the muscle examined, not in one above it."""
    level = np.float32(site.muscle_db) + 1.8 * fields.plane(2.2, 4.5) + 1.6 * fields.plane(0.8, 1.8)
    pattern = fascicles(site, fields) if site.view else dashes(fields, 0.55 * site.septa_mm, 1.7 * site.septa_mm, 0.45)
    level += np.float32(site.septa_db) * pattern
    sheets = dashes(fields, 1.1, 4.0, 0.16, share=0.3)
    level += np.float32(9.0) * sheets
    change = _lesion(site.lesion, fields, layers.target_depth_mm)
    change += np.float32(site.lesion.septa_db) * (pattern + np.float32(0.6) * sheets)
    return np.asarray(level + layers.in_target * change, dtype=np.float32)


def _lesion(lesion: Lesion, fields: Fields, depth_mm: Array) -> Array:
    """Change of backscatter in dB by evenly raised echo, grain, patches, oedema and the rim below the fascia."""
    change = np.full_like(depth_mm, lesion.echo_db)
    if lesion.grain_db > 0:
        change += np.float32(lesion.grain_db) * fields.plane(0.35, 0.5)
    if lesion.patch_db > 0:
        patches = ramp(fields.plane(0.5 * lesion.patch_mm, 0.7 * lesion.patch_mm) - np.float32(0.55), 0.9)
        change += np.float32(lesion.patch_db) * patches
    if lesion.oedema_db > 0:
        lakes = ramp(fields.plane(1.6, 3.2) - np.float32(0.5), 0.8)
        change -= np.float32(lesion.oedema_db) * lakes
    if lesion.rim_db > 0:
        rim = np.exp(-np.maximum(depth_mm, 0) / np.float32(2.2)) * (1 + 0.5 * fields.plane(1.0, 2.0))
        change += np.float32(lesion.rim_db) * rim
    return change


def _add_fasciae(tissue: Tissue, site: Site, fields: Fields, layers: Layers, wave_per_mm: float) -> None:
    """Superficial fascia with its leaves, deep fascia, and the fascia between two flexors."""
    gap = np.float32(0.5 + 1.1 * site.double_fascia) + np.float32(0.4) * fields.curve(8.0)
    lines = [(layers.fascia, site.fascia_mm, 33.0), (layers.deep, 0.55, 25.0 + 4.0 * site.view + site.deep_db)]
    if site.double_fascia > 0.35:
        lines.append((layers.fascia + gap, 0.7 * site.fascia_mm, 30.0))
    if site.fascia_mm > 0.6:
        lines.append((layers.fascia + np.float32(0.5 * site.fascia_mm) * (1 + 0.4 * fields.curve(6.0)), 0.35, 31.0))
    if layers.between is not None:
        lines.append((layers.between, 0.4, 28.0))
    for where, width, peak in lines:
        peaks = np.float32(peak) + np.float32(3.5) * fields.curve(4.5) + np.float32(2.0) * fields.curve(1.6)
        peaks -= np.float32(12.0) * ramp(fields.curve(3.5) - np.float32(1.0), 0.9)
        thick = np.float32(width) * np.exp(np.float32(0.35) * fields.curve(3.0))
        _draw_line(tissue, fields.grid, where + np.float32(0.10) * fields.curve(1.3), thick, peaks, wave_per_mm)


def _draw_line(tissue: Tissue, grid: Grid, where: Array, width: Array, peaks: Array, wave_per_mm: float) -> None:
    """A reflecting sheet: rough over ``width`` mm, with a smoother coherent surface."""
    reach = 2.0 * float(width.max()) + 0.8
    ends = (where.min() - reach, where.max() + reach)
    rows = slice(*(int(np.clip(end / grid.pixel_mm, 0, grid.rows)) for end in ends))
    away = grid.z[rows] - where
    level = tissue.backscatter_db[rows]
    rough = peaks - np.float32(2.0) - np.float32(5.0) * np.abs(away / (np.float32(0.5) * width)) ** np.float32(1.5)
    np.maximum(level, rough, out=level)
    surface = np.exp((peaks - 3) * _NEPER - np.square(away / np.float32(0.2)))
    # Sheets are no mirrors: roughness lets them answer over a wider range of angles than the wavelength would.
    tissue.interfaces[rows] += surface * np.exp(np.float32(-0.5 * wave_per_mm) * 1j * where).astype(np.complex64)


def _add_vessel(level: Array, site: Site, grid: Grid, layers: Layers) -> None:
    if site.vessel_mm is None:
        return
    x, height, half_width, half_height = site.vessel_mm
    across = (grid.x - np.float32(x)) / np.float32(half_width)
    middle = layers.fascia - np.float32(height)
    inside = 1 - np.square(across) - np.square((grid.z - middle) / np.float32(half_height))
    level -= np.float32(16.0) * ramp(inside, 0.5)


def _loss(site: Site, fields: Fields, layers: Layers) -> Array:
    """Two-way loss, summed along depth; refraction at folds of the fascia casts faint shadows."""
    per_mm = np.float32(_SKIN_LOSS) + layers.in_fat * np.float32(_FAT_LOSS - _SKIN_LOSS)
    per_mm += layers.in_muscle * np.float32(_MUSCLE_LOSS - _FAT_LOSS)
    per_mm += (layers.in_target - layers.below) * np.float32(site.lesion.attenuation_db_mm)
    loss = np.cumsum(per_mm, axis=0, dtype=np.float32) * np.float32(fields.grid.pixel_mm)
    slope = np.abs(np.gradient(layers.fascia)) / np.float32(fields.grid.pixel_mm)
    folds = 9.0 * np.minimum(np.maximum(slope - 0.12, 0), 0.4) + 2.5 * np.maximum(fields.curve(3.0) - 1.2, 0)
    return np.asarray(loss + layers.in_muscle * folds.astype(np.float32), dtype=np.float32)


def _add_bone(tissue: Tissue, fields: Fields, bone: Array, seen: Array, wave_per_mm: float, lost_db: float) -> None:
    """A bright edge, brightest where it faces the probe, and a shadow behind it."""
    grid = fields.grid
    facing = np.clip(np.gradient(bone) / np.float32(grid.pixel_mm), -2, 2)
    peaks = np.float32(36.0 - lost_db) - 14.0 * np.square(facing) + 3.0 * fields.curve(3.0) - 20.0 * (1 - seen)
    _draw_line(tissue, grid, bone, np.full_like(bone, 0.8), peaks.astype(np.float32), wave_per_mm)
    shadow = seen * (np.float32(17.0) + np.float32(4.0) * fields.curve(4.0))
    tissue.loss_db += ramp(grid.z - bone - np.float32(0.8), 1.4) * shadow.astype(np.float32)
