"""What each network costs on this machine, by one method for all: size, work, latency, memory, share of the peak."""

from __future__ import annotations

from myosono.export.profile.models import profile_models
from myosono.export.profile.record import Latency, Peak, Profile

__all__ = ["Latency", "Peak", "Profile", "profile_models"]
