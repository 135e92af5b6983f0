"""Heat-map overlays: where the class map speaks for the given class, over the grey image."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from myosono.reading.result import ImageReading, ModelFacts

_HEAT = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=np.float32)
_STRENGTH = 0.55
_BANNER = 22


def draw_overlay(image: ImageReading, classes: tuple[str, ...], model: ModelFacts) -> Image.Image:
    """The grey image with the class map of its most probable class, and a caption that carries the warnings.

    Parameters
    ----------
    image
        A reading with its maps.
    classes
        Class names in the order of the maps.
    model
        For the standing warnings.

    Returns
    -------
    PIL.Image.Image
        RGB, the B-mode area plus a caption below it.
    """
    top = max(image.probabilities, key=image.probabilities.__getitem__)
    # The mean over classes is removed: what counts is what speaks for this class more than for the others.
    relevance = image.class_maps[classes.index(top)] - image.class_maps.mean(axis=0)
    blended = _blend(image.pixels, relevance)
    said = "abstained: " + image.reasons[0] if image.abstained else f"{top} {image.probabilities[top]:.0%}"
    return _captioned(blended, " | ".join([said, *model.warnings]))


def overlay_name(image: ImageReading) -> str:
    """File name of an overlay, unique within a study: the parent folder, the stem and the frame."""
    path = Path(image.path)
    stem = "_".join(part for part in (path.parent.name, path.stem) if part)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{stem}_{image.frame}") + ".png"


def _blend(pixels: NDArray[np.uint8], relevance: NDArray[np.float32]) -> Image.Image:
    positive = np.clip(relevance, 0, None)
    scaled = positive / max(float(positive.max()), 1e-6)
    height, width = pixels.shape
    heat = np.asarray(
        Image.fromarray(scaled.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    ).clip(0, 1)
    colour = np.stack([np.interp(heat, np.linspace(0, 1, len(_HEAT)), _HEAT[:, c]) for c in range(3)], axis=-1)
    alpha = (_STRENGTH * heat)[..., None]
    grey = np.repeat(pixels[..., None], 3, axis=-1).astype(np.float32)
    return Image.fromarray((grey * (1 - alpha) + colour * alpha).round().astype(np.uint8))


def _captioned(picture: Image.Image, text: str) -> Image.Image:
    lines = _wrapped(text, max(20, picture.width // 6))
    canvas = Image.new("RGB", (picture.width, picture.height + _BANNER * len(lines)), "black")
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((6, picture.height + 5 + number * _BANNER), line, fill="white")
    return canvas


def _wrapped(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]
