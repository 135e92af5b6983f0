"""Where the layers of each muscle lie in a healthy adult, in millimetres, and how strongly they echo.

Thickness and pennation follow the reference values of Arts et al. (Muscle Nerve 2010;41:32) and Ward et al.
(Clin Orthop Relat Res 2009;467:1074), rounded: the simulation needs their order, not their third digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class MuscleForm:
    """Typical anatomy below the probe.

    Parameters
    ----------
    fat_mm, thickness_mm
        Subcutaneous fat, and the muscle down to its deep fascia.
    pennation_deg
        Angle of the fascicles to the skin in a longitudinal view.
    echo_db
        Backscatter relative to the mean of the seven muscles.
    bone_mm
        Distance of the bone's edge below the deep fascia; ``None`` where none is seen.
    bone_radius_mm
        Radius of the shaft.
    superficial_mm
        Thickness of another muscle above the one examined (FDP lies below the superficial flexor), else 0.
    deep_settings
        Probabilities of the three depth settings, shallow to deep.
    """

    fat_mm: float
    thickness_mm: float
    pennation_deg: float
    echo_db: float
    bone_mm: float | None
    bone_radius_mm: float
    superficial_mm: float
    deep_settings: tuple[float, float, float]


FORMS = MappingProxyType(
    {
        "D": MuscleForm(6.5, 17.0, 14.0, 1.0, 4.0, 12.0, 0.0, (0.5, 0.4, 0.1)),
        "B": MuscleForm(5.0, 22.0, 5.0, 0.5, 5.0, 11.0, 0.0, (0.5, 0.4, 0.1)),
        "FCR": MuscleForm(4.0, 11.0, 8.0, 0.0, 12.0, 8.0, 0.0, (0.6, 0.4, 0.0)),
        "FDP": MuscleForm(3.5, 13.0, 9.0, -0.5, 2.0, 8.0, 7.0, (0.6, 0.4, 0.0)),
        "R": MuscleForm(8.5, 19.0, 11.0, 0.0, 14.0, 15.0, 0.0, (0.2, 0.5, 0.3)),
        "T": MuscleForm(4.5, 18.0, 10.0, 1.5, 7.0, 16.0, 0.0, (0.5, 0.4, 0.1)),
        "G": MuscleForm(6.0, 16.0, 18.0, -0.5, None, 0.0, 0.0, (0.3, 0.4, 0.3)),
    }
)
"""Muscle code -> typical anatomy."""
