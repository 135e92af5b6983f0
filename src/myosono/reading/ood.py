"""Is this muscle ultrasound at all? A gate before any diagnosis.

Two terms, as neither is enough: a logistic regression tells muscle from other pictures of the kinds it was shown, and
the Mahalanobis distance to the muscle images (Lee et al. 2018, NeurIPS) catches kinds that nobody thought of.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from myosono.reading.ood_features import STATISTICS, image_statistics

NOT_MUSCLE = "not muscle ultrasound"
"""How every reason of the gate begins."""

DISTANCE_WEIGHT = 3.0
"""Logits that a distance as large as that of the 95th percentile of muscle images takes off."""

LOGIT_CAP = 5.0
"""Most that the regression may add: however far on the side of muscle, a strange picture stays strange."""

_CLIP = 8.0
_VERSION = 1


def gate_features(image: NDArray[np.uint8], embedding: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the gate looks at: the roots of the network's embedding, then `image_statistics`.

    Parameters
    ----------
    image
        B-mode area, uint8 ``(height, width)``.
    embedding
        ``(channels,)``, means of features after a ReLU; their roots are less skewed.
    """
    return np.concatenate([np.sqrt(np.maximum(embedding, 0.0, dtype=np.float64)), image_statistics(image)])


@dataclass(frozen=True, eq=False)
class MuscleGate:
    """The fitted gate, as a model file carries it.

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

    @property
    def channels(self) -> int:
        """Channels of the embedding that the gate expects."""
        return len(self.mean) - len(STATISTICS)

    def score(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Capped log-odds of muscle less the weighted distance, of features ``(..., features)``."""
        standard = np.clip((np.asarray(features, np.float64) - self.mean) / self.scale, -_CLIP, _CLIP)
        distance = np.linalg.norm(standard @ self.whitening.astype(np.float64).T, axis=-1)
        logit = standard @ self.weights.astype(np.float64) + self.bias
        return np.asarray(np.minimum(logit, LOGIT_CAP) - DISTANCE_WEIGHT * distance / self.distance_scale)

    def fault(self, image: NDArray[np.uint8], embedding: NDArray[np.floating]) -> str | None:
        """Why an image is not taken for muscle ultrasound, or None."""
        score = float(self.score(gate_features(image, embedding)))
        if score >= self.threshold:
            return None
        return f"{NOT_MUSCLE}: unlike the muscle that the gate knows (score {score:.1f}, {self.threshold:.1f} needed)"

    def to_metadata(self) -> dict[str, Any]:
        """The model file's key ``ood``: arrays as base64, so that the gate adds some 40 kB."""
        rows, columns = np.tril_indices(len(self.mean))
        arrays: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
            "whitening": self.whitening[rows, columns],
        }
        return {
            "version": _VERSION,
            "statistics": list(STATISTICS),
            "channels": self.channels,
            **{name: base64.b64encode(values.tobytes()).decode("ascii") for name, values in arrays.items()},
            "bias": self.bias,
            "distance_scale": self.distance_scale,
            "threshold": self.threshold,
        }

    @classmethod
    def from_metadata(cls, ood: Mapping[str, Any]) -> Self:
        """The gate that a model file states.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is incomplete, of another form, or made with other statistics than this version measures.
        """
        if ood["version"] != _VERSION or tuple(ood["statistics"]) != STATISTICS:
            raise ValueError("the gate was made by another version of myosono")
        count = int(ood["channels"]) + len(STATISTICS)
        single = {name: _array(ood[name], "<f4", count) for name in ("mean", "scale", "weights")}
        whitening = np.zeros((count, count), dtype=np.float16)
        whitening[np.tril_indices(count)] = _array(ood["whitening"], "<f2", count * (count + 1) // 2)
        bias, distance_scale, threshold = (float(ood[name]) for name in ("bias", "distance_scale", "threshold"))
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
