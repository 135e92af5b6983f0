"""Export: a run becomes one artefact with its parity proof; networks are profiled."""

from __future__ import annotations

from myosono.export.artefact import Exported, export_run
from myosono.export.gates import MAX_INT8_LOSS, MIN_INT8_AGREEMENT, Gate
from myosono.export.graph import OUTPUTS, ReadingGraph
from myosono.export.parity import MAX_LOGIT_DIFFERENCE, Parity, prove_parity
from myosono.export.profile import Profile, profile_models
from myosono.export.quantise import Quantisation, quantise
from myosono.export.recalibrate import Recalibrated, recalibrate

__all__ = [
    "MAX_INT8_LOSS",
    "MAX_LOGIT_DIFFERENCE",
    "MIN_INT8_AGREEMENT",
    "OUTPUTS",
    "Exported",
    "Gate",
    "Parity",
    "Profile",
    "Quantisation",
    "ReadingGraph",
    "Recalibrated",
    "export_run",
    "profile_models",
    "prove_parity",
    "quantise",
    "recalibrate",
]
