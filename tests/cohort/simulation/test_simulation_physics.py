"""The physics: speckle, beam, loss, interfaces."""

from __future__ import annotations

import numpy as np
import pytest

from myosono.cohort.simulation.beam import receive
from myosono.cohort.simulation.devices import DEVICES, Device
from myosono.cohort.simulation.display import Setting, compensation
from myosono.cohort.simulation.grid import Fields, Grid, shear
from myosono.cohort.simulation.tissue import Tissue

GRID = Grid.for_columns(447)


def single_look(**changes: float) -> Device:
    values = {
        "frequency_mhz": 9.0,
        "axial_mm": 0.25,
        "lateral_mm": 0.5,
        "focus_mm": 12.0,
        "depth_of_field_mm": 8.0,
        "steer_deg": 0.0,
        "dynamic_range_db": 60.0,
        "gain_db": 0.0,
        "noise_db": -60.0,
        "gamma": 1.0,
        "smoothing": 0.0,
    }
    return Device(name="test", **{**values, **changes})


def phantom(level_db: float = 30.0, loss_db_mm: float = 0.0) -> Tissue:
    """Homogeneous scatterers without interfaces."""
    shape = (GRID.rows, GRID.columns)
    level = np.full(shape, level_db, dtype=np.float32)
    loss = np.broadcast_to(np.float32(loss_db_mm) * GRID.z, shape).copy()
    return Tissue(level, np.zeros(shape, dtype=np.complex64), loss)


def lateral_width(envelope: np.ndarray) -> float:
    """Columns until the autocorrelation along rows falls to one half."""
    lines = envelope - envelope.mean()
    curve = np.array([np.mean(lines[:, : -lag or None] * lines[:, lag:]) for lag in range(40)])
    return float(np.argmax(curve < 0.5 * curve[0]))


def test_a_homogeneous_phantom_is_rayleigh_speckle() -> None:
    envelope = receive(phantom(), single_look(), GRID, np.random.default_rng(0))[60:-60, 40:-40]
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.06)
    assert np.mean(envelope**2) == pytest.approx(10 ** (30 / 10), rel=0.1)


def test_compounding_two_looks_raises_the_signal_to_noise_ratio() -> None:
    one = receive(phantom(), single_look(), GRID, np.random.default_rng(0))[60:-60, 80:-80]
    two = receive(phantom(), single_look(steer_deg=12.0), GRID, np.random.default_rng(0))[60:-60, 80:-80]
    gain = (two.mean() / two.std()) / (one.mean() / one.std())
    assert 1.1 < gain < 2**0.5 + 0.05


def test_speckle_is_narrowest_at_the_focus() -> None:
    envelope = receive(phantom(), single_look(), GRID, np.random.default_rng(1))
    focus = round(12.0 / GRID.pixel_mm)
    assert lateral_width(envelope[focus - 40 : focus + 40]) < lateral_width(envelope[-100:-20])


def test_deeper_tissue_answers_weaker_by_the_loss() -> None:
    envelope = receive(phantom(loss_db_mm=0.5), single_look(noise_db=-90.0), GRID, np.random.default_rng(2))
    near, far = (np.mean(envelope[rows] ** 2) for rows in (slice(80, 120), slice(280, 320)))
    assert 10 * np.log10(near / far) == pytest.approx(0.5 * 200 * GRID.pixel_mm, abs=1.0)


def test_a_strong_interface_does_not_ring_down_the_column() -> None:
    tissue = phantom(level_db=-80.0)
    tissue.interfaces[30] = 1e3
    for device in DEVICES.values():
        envelope = receive(tissue, device, GRID, np.random.default_rng(3))
        assert envelope[200:].max() < 3.0


def test_compensation_grows_with_depth_and_rolls_off() -> None:
    flat = compensation(GRID, Setting(0.0, 0.0, rolloff_db=0.0))
    rolled = compensation(GRID, Setting(0.0, 0.0, rolloff_db=8.0))
    assert np.all(np.diff(flat[:, 0]) > 0)
    assert flat[-1, 0] - rolled[-1, 0] == pytest.approx(8.0, abs=0.2)


def test_fields_have_unit_variance_and_move_with_the_probe() -> None:
    def field(shift: float, kept: float = 1.0) -> np.ndarray:
        source = Fields(GRID, np.random.default_rng(4), np.random.default_rng(5), kept, (0.0, shift))
        return source.plane(0.5, 0.5)

    assert field(0.0, kept=0.6).std() == pytest.approx(1.0, abs=0.08)
    pixels = 40
    moved = field(pixels * GRID.pixel_mm)
    np.testing.assert_allclose(moved[:, :-pixels], field(0.0)[:, pixels:], atol=2e-3)


def test_shear_moves_columns_down() -> None:
    image = np.zeros((6, 3), dtype=np.float32)
    image[2] = 1.0
    moved = shear(image, np.array([0.0, 1.0, 1.5], dtype=np.float32))
    assert moved[:, 0].tolist() == [0, 0, 1, 0, 0, 0]
    assert moved[:, 1].tolist() == [0, 0, 0, 1, 0, 0]
    assert moved[:, 2].tolist() == [0, 0, 0, 0.5, 0.5, 0]
