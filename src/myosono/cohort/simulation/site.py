"""One muscle of one patient: the geometry and the tissue that all shots of the site share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .disease import Lesion, lesion_of, muscle_severity
from .grid import COLUMNS
from .muscles import FORMS
from .patients import Patient


@dataclass(frozen=True, slots=True)
class Site:
    """Layers in millimetres, backscatter in dB; see :class:`~myosono.cohort.simulation.muscles.MuscleForm`.

    ``view`` is 0 for a transverse and 1 for a longitudinal image; ``strength`` is the examiner's grade, 1 to 10.
    """

    columns: int
    view: int
    skin_mm: float
    fat_mm: float
    superficial_mm: float
    thickness_mm: float
    bone_mm: float | None
    bone_radius_mm: float
    bone_off_mm: float
    pennation_deg: float
    bulge_mm: float
    tilt: float
    muscle_db: float
    fat_db: float
    septa_mm: float
    septa_db: float
    deep_db: float
    fascia_mm: float
    double_fascia: float
    vessel_mm: tuple[float, float, float, float] | None
    lesion: Lesion
    severity: float
    strength: float


def draw_site(patient: Patient, side: str, muscle: str, rng: np.random.Generator) -> Site:
    """Draw the anatomy of a site, given its patient."""
    form = FORMS[muscle]
    severity = muscle_severity(patient.label, muscle, patient.severity, rng)
    lesion = lesion_of(patient.label, severity)
    z = rng.standard_normal(17)
    u = rng.random(8)
    fat = form.fat_mm * np.exp(0.33 * patient.fat + 0.12 * z[0]) * lesion.fat
    build = np.exp(0.13 * patient.build + 0.07 * z[1] - 0.004 * (patient.age - 52))
    return Site(
        columns=_depth_setting(form.deep_settings, patient.depth_z, z[2]),
        view=int(u[0] < 0.35),
        skin_mm=float(1.5 * np.exp(0.16 * patient.skin + 0.08 * z[3])),
        fat_mm=float(np.clip(fat, 1.2, 24.0)),
        superficial_mm=float(form.superficial_mm * build),
        thickness_mm=float(max(form.thickness_mm * build * lesion.thickness, 4.0)),
        bone_mm=None if form.bone_mm is None or u[2] > 0.55 else float(form.bone_mm * np.exp(0.25 * z[4])),
        bone_radius_mm=float(form.bone_radius_mm * np.exp(0.12 * z[5])),
        bone_off_mm=float(8.0 * z[6]),
        pennation_deg=float((form.pennation_deg + 3.0 * z[7]) * (1 if side == "R" else -1)),
        bulge_mm=float(1.0 + 1.2 * abs(z[8])),
        tilt=float(0.05 * z[9]),
        muscle_db=float(15.5 + form.echo_db + patient.echo_db + 1.2 * z[10]),
        fat_db=float(13.5 + 1.7 * patient.fat_echo + 0.6 * z[11] + 0.8 * patient.fat),
        septa_mm=float(0.85 * np.exp(0.22 * patient.septa + 0.08 * z[12])),
        septa_db=float(10.5 - 1.2 * patient.septa + 0.8 * z[13]),
        deep_db=float(3.0 * z[16]),
        fascia_mm=float(0.42 * np.exp(0.25 * z[14]) * lesion.fascia),
        double_fascia=float(u[1]),
        vessel_mm=_vessel(u[3:7]) if u[7] < 0.3 else None,
        lesion=lesion,
        severity=severity,
        strength=_strength(patient.label, severity, z[15]),
    )


def _depth_setting(shares: tuple[float, float, float], habit: float, chance: float) -> int:
    quantile = 0.5 * (1 + np.tanh(0.8 * (0.7 * habit + 0.7 * chance)))
    return COLUMNS[int(np.searchsorted(np.cumsum(shares)[:2], quantile))]


def _vessel(u: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float, float]:
    """Position along x, height above the fascia, half width, half height."""
    return float(28 * (u[0] - 0.5)), float(0.3 + 1.2 * u[1]), float(1.5 + 5.0 * u[2] ** 2), float(0.4 + 0.7 * u[3])


def _strength(label: str, severity: float, chance: float) -> float:
    """Most muscles of the public set have full strength, ill or not; loss starts at moderate severity."""
    if label == "Normal":
        return 10.0
    loss = 11.0 * max(severity - 0.45, 0.0) + 1.2 * chance - 1.0
    return float(np.clip(round(10.0 - max(loss, 0.0)), 1, 10))
