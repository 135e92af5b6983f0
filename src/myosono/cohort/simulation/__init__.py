"""Simulated muscle ultrasound: a physical model of B-mode images with known truth. Never clinical."""

from .config import SimulationConfig
from .devices import DEVICES, Device
from .image import simulate_image

__all__ = ["DEVICES", "Device", "SimulationConfig", "simulate_image"]
