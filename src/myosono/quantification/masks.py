"""Regions as pictures: masks that a person can edit and give back, and an overlay that shows what was marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from myosono.errors import ImageError, UsageError
from myosono.imaging import Area
from myosono.quantification.region import Region

_EDGE = np.array([255, 190, 0], dtype=np.uint8)
_CAPTION = 18


def mask_names(images: Sequence[tuple[str, int]]) -> list[str]:
    """File names of the masks of a study: each image's own name without ending, and ``_region.png``.

    A later frame adds its number; images of one name in different folders add their folder.

    Parameters
    ----------
    images
        ``(path, frame)``, the frame from 0.

    Raises
    ------
    UsageError
        If two images would still share a mask.

    Examples
    --------
    >>> mask_names([("study/P7_RD_1.png", 0), ("a/clip.dcm", 3), ("a/1.png", 0), ("b/1.png", 0)])
    ['P7_RD_1_region.png', 'clip_frame4_region.png', 'a_1_region.png', 'b_1_region.png']
    """
    plain = [_mask_name(Path(path).stem, frame) for path, frame in images]
    counts = Counter(plain)
    names = [
        _mask_name(f"{Path(path).parent.name}_{Path(path).stem}", frame) if counts[name] > 1 else name
        for name, (path, frame) in zip(plain, images, strict=True)
    ]
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise UsageError(f"two images of the study would share the mask {twice}", remedy="Rename one of them")
    return names


def _mask_name(stem: str, frame: int) -> str:
    return f"{stem}{f'_frame{frame + 1}' if frame else ''}_region.png"


def read_mask(path: str | Path, shape: tuple[int, int], area: Area | None = None) -> Region:
    """Read an edited mask: any picture, muscle where it is not black.

    Parameters
    ----------
    path
        Picture of the size of the B-mode image, or of the whole screen.
    shape
        ``(height, width)`` of the B-mode image.
    area
        Where the B-mode image lies within the screen; None if the mask must fit as it is.

    Raises
    ------
    ImageError
        If the file is missing or damaged, or fits neither size, or marks nothing.
    """
    source = Path(path)
    try:
        with Image.open(source) as picture:
            levels = np.asarray(picture.convert("L"))
    except FileNotFoundError as error:
        raise ImageError("the mask does not exist", path=source) from error
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ImageError(f"the mask cannot be decoded: {error}", path=source) from error
    if levels.shape != shape and area is not None and levels.shape[0] >= area.bottom and levels.shape[1] >= area.right:
        levels = levels[area.top : area.bottom, area.left : area.right]
    if levels.shape != shape:
        raise ImageError(
            f"a mask of {levels.shape[1]} x {levels.shape[0]} pixels for a B-mode area of {shape[1]} x {shape[0]}",
            path=source,
            remedy="Edit the mask that myosono read --quantify --out writes, or one of the whole screen",
        )
    if not levels.any():
        raise ImageError("the mask marks no muscle", path=source, remedy="Muscle is any value above 0")
    return Region(levels > 0, "given")


def write_mask(region: Region, path: str | Path) -> None:
    """Write the mask as a PNG, 255 in muscle."""
    Image.fromarray(np.where(region.mask, 255, 0).astype(np.uint8)).save(path)


def draw_region(image: NDArray[np.uint8], region: Region) -> Image.Image:
    """The image with the region's outline, and below it who drew it."""
    rgb = np.repeat(image[..., None], 3, axis=-1)
    rgb[_outline(region.mask)] = _EDGE
    canvas = Image.new("RGB", (image.shape[1], image.shape[0] + _CAPTION), "black")
    canvas.paste(Image.fromarray(rgb), (0, 0))
    text = "region given" if region.origin == "given" else "proposed by a network, editable"
    ImageDraw.Draw(canvas).text((4, image.shape[0] + 3), text, fill="white")
    return canvas


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.pad(mask, 1)
    inside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    outline: NDArray[np.bool_] = mask & ~inside
    return outline
