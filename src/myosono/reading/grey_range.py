"""Echo intensity that a model has learned from: outside of it, what the model says is a guess.

Absolute echo intensity carries the diagnosis, and a gain setting changes it. An image that is darker than all that the
model learned from is answered no less surely than others, so it has to be said beside the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

UNSEEN = ("darker than", "brighter than")
"""How the doubts of `GreyRange` begin."""


@dataclass(frozen=True)
class GreyRange:
    """Mean grey level of a model's training images.

    Attributes
    ----------
    darkest, brightest
        Smallest and largest mean of a B-mode area, 0 to 255.
    """

    darkest: float
    brightest: float

    @classmethod
    def of(cls, means: Sequence[float]) -> Self:
        """The range of training images' means (`mean_grey`)."""
        return cls(round(min(means), 2), round(max(means), 2))

    @classmethod
    def from_metadata(cls, stated: Mapping[str, Any]) -> Self:
        """The range that a model file states under ``grey``.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is incomplete or no range.
        """
        found = cls(float(stated["darkest"]), float(stated["brightest"]))
        if not 0 <= found.darkest <= found.brightest <= 255:
            raise ValueError(f"grey levels from {found.darkest} to {found.brightest}")
        return found

    def doubt(self, image: NDArray[np.uint8]) -> str | None:
        """What must be said of a B-mode area, uint8 ``(height, width)``, or None.

        Examples
        --------
        >>> GreyRange(30, 100).doubt(np.full((60, 60), 12, np.uint8))
        'darker than the images that the model learned from (mean grey level 12; 30 to 100): check the gain'
        """
        mean = mean_grey(image)
        if self.darkest <= mean <= self.brightest:
            return None
        how = UNSEEN[0] if mean < self.darkest else UNSEEN[1]
        known = f"{self.darkest:.0f} to {self.brightest:.0f}"
        return f"{how} the images that the model learned from (mean grey level {mean:.0f}; {known}): check the gain"


def mean_grey(image: NDArray[np.uint8]) -> float:
    """Mean of a B-mode area."""
    return float(image.mean())


def is_unseen(reasons: Sequence[str]) -> bool:
    """Whether an image's reasons hold a doubt of `GreyRange`."""
    return any(reason.startswith(UNSEEN) for reason in reasons)
