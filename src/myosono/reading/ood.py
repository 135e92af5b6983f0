"""Is this muscle ultrasound at all? A gate before any diagnosis.

It looks twice, and both looks must find muscle: at the whole image, by the network's embedding and image statistics,
and at its lower part by statistics alone. A scan of the chest is muscle above and lung below: on the whole it can
resemble muscle, its lower part does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from myosono.reading.ood_features import STATISTICS, image_statistics
from myosono.reading.ood_look import Look

NOT_MUSCLE = "not muscle ultrasound"
"""How every reason of the gate begins."""

DEEP_SHARE = 0.4
"""Share of an image's height that the second look sees, from below."""

_LEAST_ROWS = 16
_VERSION = 1


def gate_features(image: NDArray[np.uint8], embedding: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the first look sees: the roots of the network's embedding, then `image_statistics`.

    Parameters
    ----------
    image
        B-mode area, uint8 ``(height, width)``.
    embedding
        ``(channels,)``, means of features after a ReLU; their roots are less skewed.
    """
    return np.concatenate([np.sqrt(np.maximum(embedding, 0.0, dtype=np.float64)), image_statistics(image)])


def deep_features(image: NDArray[np.uint8], share: float = DEEP_SHARE) -> NDArray[np.float64]:
    """What the second look sees: `image_statistics` of the lowest ``share`` of the B-mode area."""
    rows = max(_LEAST_ROWS, round(share * len(image)))
    return image_statistics(np.ascontiguousarray(image[-rows:]))


@dataclass(frozen=True, eq=False)
class MuscleGate:
    """The fitted gate, as a model file carries it.

    Attributes
    ----------
    whole
        Look at the whole image (`gate_features`).
    deep
        Look at its lower part (`deep_features`); None in files of older versions.
    deep_share
        Share of the height that the second look sees.
    """

    whole: Look
    deep: Look | None = None
    deep_share: float = DEEP_SHARE

    @property
    def channels(self) -> int:
        """Channels of the embedding that the gate expects."""
        return len(self.whole.mean) - len(STATISTICS)

    def margin(self, whole: NDArray[np.floating], deep: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
        """Smaller margin of both looks, of features ``(..., features)``: what is not negative passes."""
        found = self.whole.margin(whole)
        if self.deep is None or deep is None:
            return found
        return np.minimum(found, self.deep.margin(deep))

    def fault(self, image: NDArray[np.uint8], embedding: NDArray[np.floating]) -> str | None:
        """Why an image is not taken for muscle ultrasound, or None."""
        score = float(self.whole.score(gate_features(image, embedding)))
        if score < self.whole.threshold:
            return _told("unlike", score, self.whole)
        if self.deep is None:
            return None
        score = float(self.deep.score(deep_features(image, self.deep_share)))
        return _told("its lower part is unlike", score, self.deep) if score < self.deep.threshold else None

    def to_metadata(self) -> dict[str, Any]:
        """The model file's key ``ood``; the second look is under ``deep``, which older versions pass over."""
        stated = {
            "version": _VERSION,
            "statistics": list(STATISTICS),
            "channels": self.channels,
            **self.whole.to_metadata(),
        }
        return stated if self.deep is None else stated | {"deep": {"share": self.deep_share, **self.deep.to_metadata()}}

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
        whole = Look.from_metadata(ood, int(ood["channels"]) + len(STATISTICS))
        if "deep" not in ood:
            return cls(whole)
        share = float(ood["deep"]["share"])
        if not 0 < share <= 1:
            raise ValueError(f"gate that looks at {share} of the height")
        return cls(whole, Look.from_metadata(ood["deep"], len(STATISTICS)), share)


def _told(how: str, score: float, look: Look) -> str:
    return f"{NOT_MUSCLE}: {how} the muscle that the gate knows (score {score:.1f}, {look.threshold:.1f} needed)"
