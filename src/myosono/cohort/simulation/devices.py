"""Scanner presets: what the same tissue looks like on three machines."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Device:
    """One scanner with its musculoskeletal preset.

    Parameters
    ----------
    name
        Name in the cohort's ``device`` column.
    frequency_mhz
        Centre of the received band.
    axial_mm
        Full width at half maximum of the pulse's envelope.
    lateral_mm
        Full width at half maximum of the beam at its focus.
    focus_mm, depth_of_field_mm
        Focus, and the distance over which the beam widens by the factor sqrt(2).
    steer_deg
        Angle of the two looks of spatial compounding; 0 for a single look.
    dynamic_range_db
        Range shown from black to white.
    gain_db
        Added before the display.
    noise_db
        Receiver noise at the surface, on the scale of backscatter.
    gamma
        Exponent of the grey map.
    smoothing
        Weight of speckle reduction after the display, 0 to 1.
    """

    name: str
    frequency_mhz: float
    axial_mm: float
    lateral_mm: float
    focus_mm: float
    depth_of_field_mm: float
    steer_deg: float
    dynamic_range_db: float
    gain_db: float
    noise_db: float
    gamma: float
    smoothing: float


DEVICES = MappingProxyType(
    {
        device.name: device
        for device in (
            Device("sim-cart-A", 9.0, 0.16, 0.46, 18.0, 16.0, 12.0, 71.0, 5.0, -21.0, 1.00, 0.72),
            Device("sim-cart-B", 10.5, 0.18, 0.42, 15.0, 13.0, 8.0, 64.0, 3.0, -20.0, 1.05, 0.50),
            Device("sim-premium-C", 11.5, 0.14, 0.38, 16.0, 18.0, 15.0, 63.0, 1.5, -25.0, 1.00, 0.80),
        )
    }
)
"""Device name -> preset."""

SHARES = (("sim-cart-A", 6), ("sim-cart-B", 2), ("sim-premium-C", 2))
"""Of ten patients of any diagnosis, how many are scanned on which device."""
