"""Export: a run becomes one artefact with its parity proof; networks are profiled."""

from __future__ import annotations

from myosono.export.artefact import Exported, export_run
from myosono.export.graph import OUTPUTS, ReadingGraph
from myosono.export.parity import MAX_LOGIT_DIFFERENCE, Parity, prove_parity
from myosono.export.profile import Profile, profile_models

__all__ = [
    "MAX_LOGIT_DIFFERENCE",
    "OUTPUTS",
    "Exported",
    "Parity",
    "Profile",
    "ReadingGraph",
    "export_run",
    "profile_models",
    "prove_parity",
]
