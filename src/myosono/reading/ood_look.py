"""One look of the gate: how much a vector of features resembles those of muscle."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DISTANCE_WEIGHT = 3.0
"""Logits that a distance as large as that of the 95th percentile of muscle images takes off."""

LOGIT_CAP = 5.0
"""Most that the regression may add: however far on the side of muscle, a strange picture stays strange."""

_CLIP = 8.0


@dataclass(frozen=True, eq=False)
class Look:
    """A fitted score with its threshold.

    Two terms, as neither is enough: a logistic regression tells muscle from other pictures of the kinds it was shown,
    and the Mahalanobis distance to the muscle images (Lee et al. 2018, NeurIPS) catches kinds that nobody thought of.

    Attributes
    ----------
    mean, scale
        Of the muscle images' features, ``(features,)``.
    weights, bias
        Of the logistic regression on standardised features.
    whitening
        ``(features, features)``, lower triangular: its product with a standardised feature vector has the Mahalanobis
        distance as norm.
    distance_scale
        95th percentile of muscle images' distances.
    threshold
        Lowest score that passes.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float
    whitening: NDArray[np.float16]
    distance_scale: float
    threshold: float = -np.inf

    def score(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Capped log-odds of muscle less the weighted distance, of features ``(..., features)``."""
        standard = np.clip((np.asarray(features, np.float64) - self.mean) / self.scale, -_CLIP, _CLIP)
        distance = np.linalg.norm(standard @ self.whitening.astype(np.float64).T, axis=-1)
        logit = standard @ self.weights.astype(np.float64) + self.bias
        return np.asarray(np.minimum(logit, LOGIT_CAP) - DISTANCE_WEIGHT * distance / self.distance_scale)

    def margin(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score less threshold: what is not negative passes."""
        return self.score(features) - self.threshold

    def to_metadata(self) -> dict[str, Any]:
        """Plain values; arrays as base64, so that all of a gate adds some 55 kB."""
        rows, columns = np.tril_indices(len(self.mean))
        arrays: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
            "whitening": self.whitening[rows, columns],
        }
        return {
            **{name: base64.b64encode(values.tobytes()).decode("ascii") for name, values in arrays.items()},
            "bias": self.bias,
            "distance_scale": self.distance_scale,
            "threshold": self.threshold,
        }

    @classmethod
    def from_metadata(cls, stated: Mapping[str, Any], count: int) -> Self:
        """The look at ``count`` features that a model file states.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is incomplete, or of another form.
        """
        single = {name: _array(stated[name], "<f4", count) for name in ("mean", "scale", "weights")}
        whitening = np.zeros((count, count), dtype=np.float16)
        whitening[np.tril_indices(count)] = _array(stated["whitening"], "<f2", count * (count + 1) // 2)
        bias, distance_scale, threshold = (float(stated[name]) for name in ("bias", "distance_scale", "threshold"))
        if not np.isfinite([bias, distance_scale, threshold]).all() or distance_scale <= 0:
            raise ValueError(f"gate of bias {bias}, distance scale {distance_scale}, threshold {threshold}")
        if (single["scale"] <= 0).any():
            raise ValueError("gate with a scale that is not positive")
        return cls(
            mean=single["mean"],
            scale=single["scale"],
            weights=single["weights"],
            bias=bias,
            whitening=whitening,
            distance_scale=distance_scale,
            threshold=threshold,
        )


def _array(text: str, kind: str, count: int) -> NDArray[Any]:
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype=kind)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise ValueError(f"gate with {values.size} values in place of {count}")
    return values
