"""One image: patient, site and shot in, picture out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from myosono.anatomy import DIAGNOSES, MUSCLES, SIDES
from myosono.errors import UsageError

from .beam import receive
from .devices import DEVICES
from .display import Setting, show
from .grid import Fields, Grid
from .layers import lay
from .patients import Patient, draw_patient
from .site import Site, draw_site
from .tissue import make_tissue

_SOUND_MM_US = 1.54
_KEPT = 0.85  # share of texture variance that the shots of a site have in common


def simulate_image(
    label: str,
    muscle: str,
    side: str = "R",
    *,
    shot: int = 1,
    severity: float | None = None,
    device: str = "sim-cart-A",
    seed: int = 0,
    scale: float = 1.0,
) -> NDArray[np.uint8]:
    """Simulate one B-mode image.

    Parameters
    ----------
    label
        Diagnosis: a key of :data:`myosono.anatomy.DIAGNOSES`.
    muscle, side
        Codes of :mod:`myosono.anatomy`.
    shot
        Number of the shot; other shots of the same seed show the same patient's same muscle.
    severity
        Severity of the patient, 0 to 1; drawn if ``None``.
    device
        A key of :data:`myosono.cohort.simulation.DEVICES`.
    seed
        Decides everything else.
    scale
        Size of the pixel grid, 0.2 to 1.

    Returns
    -------
    array
        uint8, 498 rows by 320, 447 or 477 columns at full scale.

    Raises
    ------
    UsageError
        For an unknown diagnosis, muscle, side or device, or a number out of range.

    Examples
    --------
    >>> simulate_image("IBM", "FDP", seed=3, scale=0.25).shape[0]
    124
    """
    for name, value, known in (
        ("diagnosis", label, DIAGNOSES),
        ("muscle", muscle, MUSCLES),
        ("side", side, SIDES),
        ("device", device, DEVICES),
    ):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}; known are {', '.join(known)}")
    if not 0.2 <= scale <= 1.0 or seed < 0 or shot < 1 or not 0.0 <= (severity or 0.0) <= 1.0:
        raise UsageError("scale must lie in 0.2 to 1, severity in 0 to 1; seed and shot must not be negative or zero")
    patient = draw_patient(1, label, device, rng=generator(seed, 0))
    if severity is not None and label != "Normal":
        patient = _with_severity(patient, severity)
    return render(patient, side, muscle, shot, seed=seed, scale=scale)


def generator(seed: int, *key: int) -> np.random.Generator:
    """The generator of one part of the simulation; independent of the order in which parts are made."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


def site_of(patient: Patient, side: str, muscle: str, *, seed: int) -> Site:
    """The anatomy that all shots of a site share."""
    return draw_site(patient, side, muscle, generator(seed, 2, patient.number, _site_number(side, muscle)))


def render(patient: Patient, side: str, muscle: str, shot: int, *, seed: int, scale: float = 1.0) -> NDArray[np.uint8]:
    """The picture of one shot of one site of one patient.

    Parameters
    ----------
    patient
        Who.
    side, muscle, shot
        Which image.
    seed
        Seed of the cohort.
    scale
        Size of the pixel grid.

    Returns
    -------
    array
        uint8, shape ``(rows, columns)``.
    """
    site, fields, z = _scene(patient, side, muscle, shot, seed=seed, scale=scale)
    device = DEVICES[patient.device]
    wave_per_mm = 4 * np.pi * device.frequency_mhz / _SOUND_MM_US
    tissue = make_tissue(site, fields, wave_per_mm, patient.attenuation)
    # Examiners turn the gain down on bright muscle, though not by all of it.
    habit = -0.35 * (site.muscle_db + site.lesion.echo_db - 16.0)
    setting = Setting(patient.gain_db + 1.0 * float(z[2]) + habit, 0.06 * float(z[3]), 8.0 + 3.0 * float(z[4]))
    return show(receive(tissue, device, fields.grid, fields.shot), device, setting, fields)


def true_borders(
    patient: Patient, side: str, muscle: str, shot: int, *, seed: int, scale: float = 1.0
) -> NDArray[np.float32]:
    """Where the muscle examined begins and ends in the picture that `render` makes of the same arguments.

    Returns
    -------
    array
        Float32 ``(2, columns)``: row of the inner edge of its superficial and of its deep fascia, in pixels; rows
        beyond the picture where the deep fascia lies deeper than the field of view.
    """
    site, fields, _ = _scene(patient, side, muscle, shot, seed=seed, scale=scale)
    layers = lay(site, fields)
    superficial = layers.fascia if layers.between is None else layers.between
    edges = np.stack([superficial + 0.5 * site.fascia_mm, layers.deep - 0.3])
    return (edges / fields.grid.pixel_mm).astype(np.float32)


def _scene(
    patient: Patient, side: str, muscle: str, shot: int, *, seed: int, scale: float
) -> tuple[Site, Fields, NDArray[np.float64]]:
    """Site, random fields, and what the hand of the examiner varies from shot to shot."""
    number = _site_number(side, muscle)
    site = site_of(patient, side, muscle, seed=seed)
    shot_rng = generator(seed, 4, patient.number, number, shot)
    grid = Grid.for_columns(site.columns, scale)
    z = shot_rng.standard_normal(6)
    shift = (float(np.clip(0.4 * z[0], -2, 2)), float(np.clip(2.0 * z[1], -8, 8)))
    return site, Fields(grid, generator(seed, 3, patient.number, number), shot_rng, _KEPT, shift), z


def _site_number(side: str, muscle: str) -> int:
    return list(SIDES).index(side) * len(MUSCLES) + list(MUSCLES).index(muscle)


def _with_severity(patient: Patient, severity: float) -> Patient:
    return replace(patient, severity=severity)
