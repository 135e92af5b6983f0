"""Reading: a model file and a study become a `Reading`. Needs the base install only: no torch, no pandas."""

from __future__ import annotations

from myosono.reading.artefact import Artefact, embedded_model
from myosono.reading.overlay import draw_overlay, draw_shrinkage, overlay_names
from myosono.reading.pooled import PoolableImage, pool_muscles, pool_patients
from myosono.reading.quantify import quantified, quantities_of
from myosono.reading.reader import Reader, load
from myosono.reading.result import FailedImage, ImageReading, ModelFacts, MuscleReading, PatientReading, Reading

__all__ = [
    "Artefact",
    "FailedImage",
    "ImageReading",
    "ModelFacts",
    "MuscleReading",
    "PatientReading",
    "PoolableImage",
    "Reader",
    "Reading",
    "draw_overlay",
    "draw_shrinkage",
    "embedded_model",
    "load",
    "overlay_names",
    "pool_muscles",
    "pool_patients",
    "quantified",
    "quantities_of",
]
