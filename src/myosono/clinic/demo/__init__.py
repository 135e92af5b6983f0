"""The demonstration: simulated studies, some of them read and signed by simulated physicians."""

from __future__ import annotations

from myosono.clinic.demo.make import demo_settings, make_demo

__all__ = ["demo_settings", "make_demo"]
