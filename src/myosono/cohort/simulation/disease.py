"""What each diagnosis does to a muscle, as published sonography describes it.

Sources, for the pattern only (the numbers are ours, set for difficulty, not measured):

- IBM: markedly raised echogenicity, atrophy, deep finger flexors and gastrocnemius worst, neighbours spared, deep
  structures lost behind the muscle (Noto et al., Muscle Nerve 2014;49:745; Albayda et al., Clin Exp Rheumatol
  2018;36:996).
- PM: moderate, patchy rise, proximal muscles worst, some atrophy (Reimers et al., J Neurol Sci 1993;116:82).
- DM: little atrophy, thickened fascia and subcutis, "see-through" echogenicity that keeps the deep fascia visible,
  oedema (Reimers 1993; Bhansing et al., Muscle Nerve 2015;52:534; Yoshida et al., Arthritis Rheumatol 2016;68:3751).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, slots=True)
class Lesion:
    """Changes of one muscle relative to health; the defaults are health.

    Parameters
    ----------
    echo_db
        Even rise of the muscle's backscatter.
    thickness
        Factor on the muscle's thickness.
    attenuation_db_mm
        Added two-way loss per millimetre of muscle.
    septa_db
        Added contrast of the septa; negative where they drown in fatty replacement.
    grain_db
        Standard deviation of fine irregular texture between the septa.
    patch_db, patch_mm
        Height and size of patches of raised backscatter.
    rim_db
        Rise below the superficial fascia.
    oedema_db
        Depth of areas of lowered backscatter.
    bone_db
        Loss of the bone's edge, beyond what attenuation takes: the beam is scattered out of shape.
    fascia
        Factor on the fascia's thickness.
    fat
        Factor on the subcutis' thickness.
    fat_streaks_db
        Added echo of streaks in the subcutis.
    """

    echo_db: float = 0.0
    thickness: float = 1.0
    attenuation_db_mm: float = 0.0
    septa_db: float = 0.0
    grain_db: float = 0.0
    patch_db: float = 0.0
    patch_mm: float = 5.0
    rim_db: float = 0.0
    oedema_db: float = 0.0
    bone_db: float = 0.0
    fascia: float = 1.0
    fat: float = 1.0
    fat_streaks_db: float = 0.0


INVOLVEMENT = MappingProxyType(
    {
        "IBM": {"D": 0.35, "B": 0.6, "FCR": 0.6, "FDP": 1.0, "R": 0.8, "T": 0.65, "G": 0.95},
        "PM": {"D": 0.9, "B": 0.85, "FCR": 0.5, "FDP": 0.5, "R": 0.95, "T": 0.5, "G": 0.6},
        "DM": {"D": 0.95, "B": 0.85, "FCR": 0.7, "FDP": 0.6, "R": 0.85, "T": 0.6, "G": 0.65},
    }
)
"""Diagnosis -> muscle -> how much of the patient's severity a muscle shows on average."""


def lesion_of(label: str, severity: float) -> Lesion:
    """The changes of a muscle with ``severity`` from 0 (spared) to 1 (end stage or florid).

    Parameters
    ----------
    label
        A diagnosis of :data:`myosono.anatomy.DIAGNOSES`; ``Normal`` has no lesion at any severity.
    severity
        0 to 1.

    Examples
    --------
    >>> lesion_of("Normal", 1.0) == Lesion()
    True
    >>> lesion_of("IBM", 1.0).thickness < lesion_of("DM", 1.0).thickness
    True
    """
    s = float(np.clip(severity, 0.0, 1.0))
    if label == "IBM":
        return Lesion(
            echo_db=12.0 * s,
            thickness=1 - 0.45 * s,
            attenuation_db_mm=0.6 * s,
            septa_db=-5.0 * s,
            grain_db=1.5 * s,
            patch_db=4.0 * s,
            patch_mm=6.0,
            bone_db=10.0 * s,
        )
    if label == "PM":
        return Lesion(
            echo_db=2.5 * s,
            thickness=1 - 0.15 * s,
            attenuation_db_mm=0.15 * s,
            septa_db=-1.0 * s,
            grain_db=2.0 * s,
            patch_db=9.0 * s,
            patch_mm=3.5,
        )
    if label == "DM":
        return Lesion(
            thickness=1 + 0.05 * s,
            septa_db=2.0 * s,
            rim_db=6.0 * s,
            oedema_db=6.0 * s,
            fascia=1 + 2.2 * s,
            fat=1 + 0.25 * s,
            fat_streaks_db=7.0 * s,
        )
    return Lesion()


def muscle_severity(label: str, muscle: str, patient_severity: float, rng: np.random.Generator) -> float:
    """Severity of one muscle: the patient's, by the diagnosis' pattern, with chance; some muscles are spared.

    Returns
    -------
    float
        0 to 1.
    """
    spared, noise = rng.random(), rng.standard_normal()
    if label not in INVOLVEMENT:
        return 0.0
    share = INVOLVEMENT[label][muscle]
    if spared > 0.55 + 0.45 * share:
        return 0.0
    return float(np.clip(patient_severity * (0.25 + 0.75 * share) * np.exp(0.25 * noise), 0.0, 1.0))
