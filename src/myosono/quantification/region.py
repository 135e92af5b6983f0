"""The muscle region of one image: a mask, and whether a person or a network drew it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from myosono.errors import UsageError

Origin = Literal["given", "proposed"]

PROPOSED_NOTE = "muscle region proposed by a network, editable: check it before using any measure"
GIVEN_NOTE = "muscle region given as a mask"

MIN_PIXELS = 200
"""Smallest region that is measured: below it, a mean over speckle says little."""


@dataclass(frozen=True, eq=False)
class Region:
    """Where the muscle is.

    Attributes
    ----------
    mask
        Bool ``(height, width)``, true in muscle, the size of the B-mode image.
    origin
        ``"given"`` by a person or ``"proposed"`` by a network.
    support
        Of a proposal: mean probability of the tissue that it assigns to each pixel, 0 to 1; None of a given mask.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    origin: Origin
    support: float | None = None

    @classmethod
    def given(cls, mask: NDArray[Any]) -> Region:
        """A region drawn by a person: ``(height, width)``, non-zero in muscle.

        Raises
        ------
        UsageError
            If the mask is not 2-D or marks nothing.
        """
        if mask.ndim != 2:
            raise UsageError(f"a mask must have the shape (height, width), not {mask.shape}")
        if not mask.any():
            raise UsageError("the mask marks no muscle", remedy="Muscle is any value above 0")
        return cls(mask > 0, "given")

    @property
    def note(self) -> str:
        """What must be said with every measure of it."""
        return GIVEN_NOTE if self.origin == "given" else PROPOSED_NOTE

    @property
    def measurable(self) -> bool:
        """Whether it has at least `MIN_PIXELS` pixels."""
        return int(self.mask.sum()) >= MIN_PIXELS

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the mask."""
        return {
            "origin": self.origin,
            "note": self.note,
            "pixels": int(self.mask.sum()),
            "support": None if self.support is None else round(self.support, 4),
        }


def check_shape(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    """Refuse an image that is not uint8 ``(height, width)``, and a mask of another size.

    Raises
    ------
    UsageError
        In either case.
    """
    if image.ndim != 2 or image.dtype != np.uint8:
        raise UsageError(f"an image array must be uint8 (height, width), not {image.dtype} {image.shape}")
    if image.shape != mask.shape:
        raise UsageError(f"a mask of {mask.shape} pixels does not fit an image of {image.shape}")
