"""From tissue to echo envelope: scatterers seen through a depth-dependent point spread.

The received signal is kept at baseband (complex amplitude on the pixel grid), which needs no radio-frequency
sampling. The pulse acts along depth, the beam along x, wider away from the focus (Gaussian beam); both are
applied exactly, in the Fourier domain of one axis at a time. Spatial compounding averages the envelopes of looks
steered to either side (Trahey et al., IEEE TUFFC 1986;33:257; Wagner et al., IEEE Trans Sonics Ultrason 1983;30:156).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from .devices import Device
from .grid import Array, Grid, shear
from .tissue import Tissue

Complex = NDArray[np.complex64]

_TO_SIGMA = 1 / 2.3548
# A shorter pulse would be cut off at the Nyquist frequency and ring down the whole column.
_LEAST_SIGMA = 1.0


def receive(tissue: Tissue, device: Device, grid: Grid, rng: np.random.Generator) -> Array:
    """Echo envelope, compensated for the expected loss, in linear units.

    Parameters
    ----------
    tissue
        What the beam meets.
    device
        Pulse, beam and compounding.
    grid
        Pixels.
    rng
        Generator of the scatterers and of receiver noise.

    Returns
    -------
    array
        Shape ``(rows, columns)``, not negative.
    """
    scatterers = complex_noise(rng, (grid.rows, grid.columns))
    # Receiver noise and clutter are Gaussian too: their power adds to that of the scatterers.
    power = _power(tissue.backscatter_db - tissue.loss_db) + _floor(device, grid)
    scatterers *= np.sqrt(power)
    tissue.interfaces *= _power(np.float32(-0.5) * tissue.loss_db)
    scatterers += tissue.interfaces
    envelope = np.zeros((grid.rows, grid.columns), dtype=np.float32)
    steers = (-device.steer_deg, device.steer_deg) if device.steer_deg else (0.0,)
    spectrum = _axial_spectrum(scatterers, device, grid)
    for angle in steers:
        envelope += look(spectrum, device, grid, angle)
    return envelope / np.float32(len(steers))


def complex_noise(rng: np.random.Generator, shape: tuple[int, int]) -> Complex:
    """Circular Gaussian amplitudes with unit power: many scatterers in each cell."""
    noise = rng.standard_normal((*shape, 2), dtype=np.float32)
    noise *= np.float32(0.5**0.5)
    return np.asarray(noise.view(np.complex64)[..., 0])


def _axial_spectrum(scatterers: Complex, device: Device, grid: Grid) -> Complex:
    length = fft.next_fast_len(grid.rows + 64)
    spectrum = fft.fft(scatterers, length, axis=0)
    spectrum *= _pulse(length, device.axial_mm, grid.pixel_mm)[:, None]
    return np.asarray(spectrum, dtype=np.complex64)


def look(spectrum: Complex, device: Device, grid: Grid, steer_deg: float) -> Array:
    """Envelope of one look; the point spread is tilted by ``steer_deg``.

    Parameters
    ----------
    spectrum
        Along depth, shape ``(frequencies, columns)``.
    device, grid
        Beam and pixels.
    steer_deg
        Angle in degrees.
    """
    slope = np.tan(np.deg2rad(steer_deg))
    down = np.asarray(slope * np.arange(-(grid.columns // 2), grid.columns - grid.columns // 2), dtype=np.float32)
    if steer_deg:
        spectrum = spectrum * _delays(spectrum.shape[0], grid.columns, float(slope))
    # Columns moved by the tilt's delays: the beam then acts along straight rows.
    field = fft.ifft(spectrum, axis=0, overwrite_x=bool(steer_deg))
    length = fft.next_fast_len(grid.columns + 24)
    across = fft.fft(field, length, axis=1)
    across *= _beam(field.shape[0], length, device, grid.pixel_mm)
    image = np.abs(fft.ifft(across, axis=1, overwrite_x=True)[:, : grid.columns])
    return (shear(image, -down, wrap=True) if steer_deg else np.asarray(image, dtype=np.float32))[: grid.rows]


@lru_cache(maxsize=64)
def _pulse(length: int, fwhm_mm: float, pixel_mm: float) -> Array:
    """Transfer function of a Gaussian pulse, normalised to unit energy."""
    sigma = max(fwhm_mm * _TO_SIGMA / pixel_mm, _LEAST_SIGMA)
    transfer = np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(length) * sigma) ** 2)
    return np.asarray(transfer / np.sqrt(np.mean(transfer**2)), dtype=np.float32)


@lru_cache(maxsize=64)
def _beam(rows: int, length: int, device: Device, pixel_mm: float) -> Array:
    """Transfer function of the beam for every row, shape ``(rows, length)``, unit energy in each row."""
    z = (np.arange(rows) + 0.5) * pixel_mm
    fwhm = device.lateral_mm * np.sqrt(1 + ((z - device.focus_mm) / device.depth_of_field_mm) ** 2)
    sigma = np.maximum(fwhm * _TO_SIGMA / pixel_mm, _LEAST_SIGMA)
    transfer = np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(length)[None, :] * sigma[:, None]) ** 2)
    return np.asarray(transfer / np.sqrt(np.mean(transfer**2, axis=1, keepdims=True)), dtype=np.float32)


@lru_cache(maxsize=64)
def _delays(length: int, columns: int, slope: float) -> Complex:
    x = np.arange(-(columns // 2), columns - columns // 2)
    phase = -2j * np.pi * np.fft.fftfreq(length)[:, None] * (slope * x)[None, :]
    return np.asarray(np.exp(phase), dtype=np.complex64)


def _floor(device: Device, grid: Grid) -> Array:
    """Power of noise and of clutter from multiple reflections, shape ``(rows, 1)``."""
    return _power(np.float32(device.noise_db) + 0 * grid.z) + _power(np.float32(-4.0) - np.float32(0.45) * grid.z)


def _power(decibel: Array) -> Array:
    return np.asarray(np.exp(decibel * np.float32(np.log(10) / 10)), dtype=np.float32)
