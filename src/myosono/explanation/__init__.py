"""Room: explanation (see docs/architecture.md).

Heat maps of a trained network by several methods, and whether they can be believed: faithfulness on held-out images,
and the sanity check by weight randomisation.
"""

from myosono.explanation.grad_cam import grad_cam
from myosono.explanation.heat_maps import METHODS, HeatMaps, Network
from myosono.explanation.randomisation import layers, randomised
from myosono.explanation.study import explain_run

__all__ = ["METHODS", "HeatMaps", "Network", "explain_run", "grad_cam", "layers", "randomised"]
