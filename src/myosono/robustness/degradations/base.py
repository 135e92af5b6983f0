"""What a degradation is: one thing that goes wrong between patient and file, in steps of a stated unit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Change = Callable[[Image, float, np.random.Generator], Image]


@dataclass(frozen=True)
class Degradation:
    """One way in which a grey image gets worse, or only different.

    Attributes
    ----------
    name
        For options and tables.
    title
        For print.
    unit
        Of the strength.
    meaning
        What it stands for at the machine or on the way to the file, and what is left out.
    neutral
        Strength at which nothing changes.
    strengths
        Strengths that a report goes through, ascending; ``neutral`` is one of them.
    change
        ``(image, strength, generator)`` to image, uint8 ``(height, width)``.
    """

    name: str
    title: str
    unit: str
    meaning: str
    neutral: float
    strengths: tuple[float, ...]
    change: Change

    def apply(self, image: Image, strength: float, *, key: str = "", seed: int = 0) -> Image:
        """The image at a strength; at the neutral one, the image itself.

        Parameters
        ----------
        image
            uint8, shape ``(height, width)``.
        strength
            In `unit`; any value between the first and the last of `strengths`.
        key, seed
            Name of the image and seed of the random part: the same at all strengths, so that strengths compare.

        Raises
        ------
        ValueError
            If the image is not 2-D uint8, or the strength lies outside the range of `strengths`.
        """
        if image.ndim != 2 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"an image must be uint8 (height, width), not {image.dtype} {image.shape}")
        low, high = self.strengths[0], self.strengths[-1]
        if not low <= strength <= high:
            raise ValueError(f"{self.name} goes from {low:g} to {high:g} {self.unit}, not to {strength:g}")
        if strength == self.neutral:
            return image
        generator = np.random.default_rng([seed, zlib.crc32(f"{self.name}\t{key}".encode())])
        return np.ascontiguousarray(self.change(image, strength, generator))


def rounded(grey: NDArray[np.floating]) -> Image:
    """Grey levels within 0 to 255, as uint8."""
    return np.asarray(np.clip(np.rint(grey), 0, 255), dtype=np.uint8)
