"""Room: robustness (see docs/architecture.md).

How a model's answers and its calibration hold when images get worse: held-out images, degraded step by step and read by
the artefact itself, without torch.
"""

from myosono.robustness.degradations import DEGRADATIONS, Degradation, choose_degradations
from myosono.robustness.result import StressedModel, StressResult, StressRow
from myosono.robustness.stress import stress

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "StressResult",
    "StressRow",
    "StressedModel",
    "choose_degradations",
    "stress",
]
