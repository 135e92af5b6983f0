"""Heat-map overlays: where the class map speaks for the given class, over the grey image.

How far such a map can be believed was measured (docs/heat-maps.md): it shows what moved the network's answer, on a
coarse grid; it is no outline of a lesion.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from myosono.imaging import bare_name, safe_name, unique_names
from myosono.reading.result import ImageReading, ModelFacts

SHRINKAGE_LABEL = "removed by the threshold: a diagnostic of the network, not a noise level"
"""What stands wherever a shrinkage map shows: the threshold has no physical meaning."""

HEAT_COLOURS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=np.float32)
"""Viridis, from none to most."""

REMOVED_COLOURS = np.array([[40, 40, 60], [150, 90, 60], [255, 190, 120]], dtype=np.float32)
"""Another scale than heat's, so that a picture without its caption is not taken for a heat map."""

_STRENGTH = 0.55
_BANNER = 22


def draw_overlay(image: ImageReading, classes: tuple[str, ...], model: ModelFacts) -> Image.Image:
    """The grey image with the class map of its most probable class, and a caption that carries the warnings.

    An image that the reader refuses is drawn without heat: it has no class that a map could speak for.

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
    if image.abstained:
        return _captioned(
            Image.fromarray(image.pixels), " | ".join([f"abstained: {image.reasons[0]}", *model.warnings])
        )
    top = max(image.probabilities, key=image.probabilities.__getitem__)
    relevance = class_relevance(image.class_maps, classes.index(top))
    said = f"{top} {image.probabilities[top]:.0%}"
    return _captioned(heat_over(image.pixels, relevance), " | ".join([said, *model.warnings]))


def draw_shrinkage(image: ImageReading, model: ModelFacts) -> Image.Image:
    """The grey image with its shrinkage map, captioned for what it is; otherwise as `draw_overlay`."""
    said = f"{SHRINKAGE_LABEL}; brightest: {image.shrinkage.max():.0%}"
    return _captioned(shrinkage_over(image.pixels, image.shrinkage), " | ".join([said, *model.warnings]))


def class_relevance(class_maps: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """What speaks for a class more than for the others, ``(h, w)``, from class maps ``(classes, h, w)``."""
    relevance: NDArray[np.float32] = class_maps[index] - class_maps.mean(axis=0)
    return relevance


def heat_over(pixels: NDArray[np.uint8], relevance: NDArray[np.floating]) -> Image.Image:
    """What speaks for a class, over a grey image; what speaks against it stays grey.

    Parameters
    ----------
    pixels
        Shape ``(H, W)``.
    relevance
        Shape ``(h, w)``; scaled by its largest value.
    """
    return _blend(pixels, relevance, float(relevance.max()), HEAT_COLOURS)


def shrinkage_over(pixels: NDArray[np.uint8], shrinkage: NDArray[np.floating]) -> Image.Image:
    """Share of feature magnitude removed over a grey image, in colours of its own; shapes and scale as `heat_over`."""
    return _blend(pixels, shrinkage, float(shrinkage.max()), REMOVED_COLOURS)


def overlay_names(images: Sequence[ImageReading]) -> list[str]:
    """File names of a reading's overlays, each once: the image's folder, its name without ending, and the frame.

    Images that these do not tell apart (``a.png`` beside ``a.jpg``) are numbered from 2 in the order of the reading.
    """
    return unique_names([_overlay_name(Path(image.path), image.frame) for image in images])


def _overlay_name(path: Path, frame: int) -> str:
    return safe_name("_".join(part for part in (path.parent.name, bare_name(path), str(frame)) if part), ".png")


def _blend(
    pixels: NDArray[np.uint8], values: NDArray[np.floating], full: float, scale: NDArray[np.float32]
) -> Image.Image:
    """Colour and opacity grow with the value; bicubic, as maps are scored (`myosono.faithfulness.upsampled`)."""
    share = (np.clip(values, 0, None) / max(full, 1e-6)).astype(np.float32)
    height, width = pixels.shape
    heat = np.asarray(Image.fromarray(share).resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    colour = np.stack([np.interp(heat, np.linspace(0, 1, len(scale)), scale[:, c]) for c in range(3)], axis=-1)
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
