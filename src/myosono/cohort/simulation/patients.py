"""Who is examined: demography by diagnosis, and what each body brings along to every image of it.

Means and spreads are summary statistics of the public set's metadata (80 patients, Burlina et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .config import SimulationConfig
from .devices import SHARES


@dataclass(frozen=True, slots=True)
class Patient:
    """One simulated person.

    Parameters
    ----------
    number
        Position in the cohort, from 1; tells nothing about the diagnosis.
    label
        Diagnosis.
    severity
        Activity and damage of the disease, 0 to 1; 0 in health.
    age, sex, cpk, duration_months
        Age in years; ``F`` or ``M``; creatine phosphokinase in U/l and months since the first symptom, NaN in health.
    device
        Name of the scanner preset.
    fat, skin, build
        Standard normal deviates: adiposity, thickness of the skin, size of the muscles.
    echo_db, gain_db
        The body's own offset of muscle backscatter, and the gain its examiner set.
    attenuation
        Factor on the loss in all tissues.
    depth_z
        Whether the examiner tends to deeper settings, standard normal.
    septa, fat_echo
        Coarseness of the septa and echo of the fat, standard normal.
    """

    number: int
    label: str
    severity: float
    age: int
    sex: str
    cpk: float
    duration_months: float
    device: str
    fat: float
    skin: float
    build: float
    echo_db: float
    gain_db: float
    attenuation: float
    depth_z: float
    septa: float
    fat_echo: float

    @property
    def patient_id(self) -> str:
        """Such as ``P001``."""
        return f"P{self.number:03d}"


@dataclass(frozen=True, slots=True)
class _Demography:
    """Age (mean, standard deviation), share of women, and means and deviations of the logarithms."""

    age: tuple[float, float]
    women: float
    log_cpk: tuple[float, float] = (np.nan, np.nan)
    log_months: tuple[float, float] = (np.nan, np.nan)
    severity: tuple[float, float] = (1.0, 1.0)


DEMOGRAPHY = MappingProxyType(
    {
        "Normal": _Demography((51, 15.5), 0.58),
        "IBM": _Demography((64, 10.2), 0.47, (5.8, 1.07), (4.7, 0.68), (3.2, 1.4)),
        "PM": _Demography((59, 14.5), 0.86, (6.4, 1.56), (3.6, 1.13), (3.0, 1.4)),
        "DM": _Demography((53, 17.0), 0.64, (5.0, 0.95), (3.8, 0.81), (3.0, 1.4)),
    }
)
"""Diagnosis -> demography; ``severity`` holds the two parameters of a beta distribution."""


def draw_patients(config: SimulationConfig) -> list[Patient]:
    """Draw the patients of a cohort, in random order of diagnosis.

    Devices are dealt out within each diagnosis in the same shares, so that no device predicts a diagnosis.
    """
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(0,)))
    rows = [(label, device) for label, count in config.patients.items() for device in _deal_devices(count, rng)]
    order = rng.permutation(len(rows))
    return [draw_patient(number, *rows[row], rng=rng) for number, row in enumerate(order, start=1)]


def _deal_devices(count: int, rng: np.random.Generator) -> list[str]:
    deck = [name for name, share in SHARES for _ in range(share)]
    dealt: list[str] = []
    while len(dealt) < count:
        dealt += [deck[card] for card in rng.permutation(len(deck))]
    return dealt[:count]


def draw_patient(number: int, label: str, device: str, *, rng: np.random.Generator) -> Patient:
    """Draw one patient with a given diagnosis and device."""
    demography = DEMOGRAPHY[label]
    ill = label != "Normal"
    z = rng.standard_normal(12)
    age = int(np.clip(round(demography.age[0] + demography.age[1] * z[0]), 23, 84))
    severity = float(rng.beta(*demography.severity))
    women = rng.random() < demography.women
    cpk = np.exp(demography.log_cpk[0] + demography.log_cpk[1] * z[1])
    months = np.exp(demography.log_months[0] + demography.log_months[1] * z[2])
    return Patient(
        number=number,
        label=label,
        severity=severity if ill else 0.0,
        age=age,
        sex="F" if women else "M",
        cpk=float(np.clip(round(cpk), 52, 5168)) if ill else float("nan"),
        duration_months=float(np.clip(round(months), 6, 360)) if ill else float("nan"),
        device=device,
        fat=float(z[3] + (0.4 if women else -0.3)),
        skin=float(z[4]),
        build=float(z[5] - (0.4 if women else -0.4)),
        echo_db=float(1.6 * z[6] + 0.05 * (age - 52)),
        gain_db=float(1.8 * z[7]),
        attenuation=float(np.exp(0.1 * z[8])),
        depth_z=float(z[9]),
        septa=float(z[10]),
        fat_echo=float(z[11]),
    )
