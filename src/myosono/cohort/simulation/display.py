"""From envelope to the 8-bit picture: compensation, compression, grey map, speckle reduction, marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from .devices import Device
from .grid import Array, Fields, Grid

_EXPECTED_LOSS = 0.72  # two-way dB per mm that the machine assumes when it compensates


@dataclass(frozen=True, slots=True)
class Setting:
    """What the examiner turned in one shot: gain, slope of the depth compensation, and what it lacks at the bottom."""

    gain_db: float
    slope_db_mm: float
    rolloff_db: float = 8.0


def show(envelope: Array, device: Device, setting: Setting, fields: Fields) -> NDArray[np.uint8]:
    """The picture of an envelope.

    Parameters
    ----------
    envelope
        Linear, shape ``(rows, columns)``.
    device
        Dynamic range, grey map, smoothing.
    setting
        Gain and depth compensation of this shot.
    fields
        Random fields, for contact and noise.

    Returns
    -------
    array
        uint8, shape ``(rows, columns)``.
    """
    grid = fields.grid
    decibel = np.float32(20 / np.log(10)) * np.log(envelope + np.float32(1e-6))
    decibel += compensation(grid, setting) + np.float32(device.gain_db + setting.gain_db) + _contact(fields)
    decibel = _reduce_speckle(decibel, device.smoothing)
    grey = np.clip(decibel / np.float32(device.dynamic_range_db), 0, 1)
    if device.gamma != 1.0:
        grey = grey ** np.float32(device.gamma)
    picture = (grey * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return mark(picture)


def compensation(grid: Grid, setting: Setting) -> Array:
    """Time gain compensation in dB, shape ``(rows, 1)``; it runs out of gain at depth."""
    z = grid.z
    full = z * np.float32(_EXPECTED_LOSS + setting.slope_db_mm)
    late = np.maximum(z / np.float32(grid.depth_mm) - np.float32(0.4), 0) / np.float32(0.6)
    return np.asarray(full - np.float32(setting.rolloff_db) * np.square(late), dtype=np.float32)


def _contact(fields: Fields) -> Array:
    """Columns in dB: the aperture ends at the sides, and hair or air under the probe costs a little."""
    x = fields.grid.x
    half = np.float32(fields.grid.columns / 2 * fields.grid.pixel_mm)
    left, right = 7.0 * fields.shot.random(2) ** 2
    edge = -left * np.exp(-(x + half) / 2.5) - right * np.exp((x - half) / 2.5)
    return np.asarray(edge + 0.7 * fields.curve(3.0), dtype=np.float32)


def _reduce_speckle(decibel: Array, weight: float) -> Array:
    """Blend with a small average, less where a structure stands out."""
    if weight <= 0:
        return decibel
    smooth = uniform_filter1d(uniform_filter1d(decibel, 5, axis=1), 3, axis=0)
    return np.asarray(decibel + np.float32(weight) * (smooth - decibel), dtype=np.float32)


def mark(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the probe's mark: a small white triangle with a dark rim at the top, and the dark left border."""
    rows, columns = picture.shape
    size = max(round(rows / 70), 3)
    middle = columns // 2 - 1
    for row in range(size + 2):
        half = size - row
        picture[row, max(middle - half - 1, 0) : middle + half + 2] = 0
        if 0 < row <= size:
            picture[row, middle - half : middle + half + 1] = 255
    picture[:, 0] = 0
    return picture
