"""Simulated muscle ultrasound: a physical model of B-mode images with known truth. Never clinical."""

from .cohort import simulate_cohort
from .config import SimulationConfig
from .devices import DEVICES, Device
from .image import simulate_image

__all__ = ["DEVICES", "Device", "SimulationConfig", "simulate_cohort", "simulate_image"]
