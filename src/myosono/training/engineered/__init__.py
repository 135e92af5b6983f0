"""The engineered-features baseline: texture of the grey levels, and a random forest on it (Burlina et al. 2017)."""

from __future__ import annotations

from myosono.training.engineered.estimator import ForestOptions, fit_forest
from myosono.training.engineered.features import FEATURES, image_features

__all__ = ["FEATURES", "ForestOptions", "fit_forest", "image_features"]
