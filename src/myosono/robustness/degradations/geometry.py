"""What part of the body the picture shows, and on how many pixels: depth, crop, resolution."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from myosono.robustness.degradations.base import Degradation, Image


def depth(image: Image, factor: float, _: np.random.Generator) -> Image:
    """Another depth setting: below 1 the deep part is off the screen, above 1 black rows follow.

    What lies deeper than the image is unknown; black is what a machine shows where nothing comes back.
    """
    height, width = image.shape
    rows = max(1, round(height * factor))
    if rows <= height:
        return image[:rows]
    return np.concatenate([image, np.zeros((rows - height, width), dtype=np.uint8)])


def crop(image: Image, percent: float, _: np.random.Generator) -> Image:
    """Lose ``percent`` of the height at the top and at the bottom, and of the width at either side."""
    height, width = image.shape
    top, left = (round(side * percent / 100) for side in (height, width))
    top, left = min(top, (height - 1) // 2), min(left, (width - 1) // 2)
    return image[top : height - top, left : width - left]


def resolution(image: Image, factor: float, _: np.random.Generator) -> Image:
    """Fewer pixels by ``factor`` in each direction, antialiased; not enlarged again."""
    height, width = (max(1, round(side / factor)) for side in image.shape)
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR), dtype=np.uint8)


GEOMETRY = (
    Degradation(
        "depth", "Depth", "times the depth shown",
        "Another depth setting. Below 1 the deep part is cut off and the rest fills the screen; above 1 the tissue is "
        "smaller and black follows below it (what lies there is unknown).",
        1.0, (0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0), depth,
    ),
    Degradation(
        "crop", "Crop", "% lost at each edge",
        "A B-mode area found too small, or a screenshot cut by hand.",
        0.0, (0.0, 2.5, 5.0, 10.0, 20.0), crop,
    ),
    Degradation(
        "resolution", "Resolution", "times fewer pixels each way",
        "A thumbnail, a small window or an archive that keeps small images.",
        1.0, (1.0, 1.5, 2.0, 4.0, 8.0), resolution,
    ),
)  # fmt: skip
