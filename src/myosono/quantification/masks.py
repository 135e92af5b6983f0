"""Regions as pictures: masks that a person can edit and give back, and an overlay that shows what was marked."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from myosono.errors import ImageError
from myosono.imaging import Area, bare_name, printable, safe_name, save_result, unique_names
from myosono.quantification.region import Region

_EDGE = np.array([255, 190, 0], dtype=np.uint8)
_CAPTION = 18

_NO_MASKS = ("readme", "thumbs.db", "desktop.ini")
_NAMED = 5
"""Unused masks that a note names; the others are counted."""


def mask_names(images: Sequence[tuple[str, int]]) -> list[str]:
    """File names of the masks of a study: each image's own name without ending, and ``_region.png``.

    A later frame adds its number. Images of one name add their folder, then their ending, then the folders above: as
    far as paths can, they tell the images apart whatever their order, so that an edited mask finds its image again.

    Parameters
    ----------
    images
        ``(path, frame)``, the frame from 0.

    Examples
    --------
    >>> mask_names([("study/P7_RD_1.png", 0), ("a/clip.dcm", 3), ("a/1.png", 0), ("b/1.png", 0)])
    ['P7_RD_1_region.png', 'clip_frame4_region.png', 'a_1_region.png', 'b_1_region.png']
    >>> mask_names([("a/1.png", 0), ("a/1.jpg", 0), ("dicom/1.2.840.1", 0), ("dicom/1.2.840.2", 0)])
    ['a_1.png_region.png', 'a_1.jpg_region.png', '1.2.840.1_region.png', '1.2.840.2_region.png']
    """
    choices = [[_mask_name(stem, frame) for stem in _stems(Path(path))] for path, frame in images]
    levels = [0] * len(choices)
    while True:
        names = [names[level] for names, level in zip(choices, levels, strict=True)]
        counts = Counter(map(folded_name, names))
        longer = [
            place
            for place, name in enumerate(names)
            if counts[folded_name(name)] > 1 and levels[place] + 1 < len(choices[place])
        ]
        if not longer:
            return unique_names(names)
        for place in longer:
            levels[place] += 1


def _stems(path: Path) -> list[str]:
    """What a mask may be called, from the shortest to the whole path."""
    folders = [part for part in path.parts[:-1] if part != path.anchor]
    above = ["_".join([*folders[start:], path.name]) for start in reversed(range(len(folders)))]
    return [bare_name(path), "_".join([*folders[-1:], bare_name(path)]), *(above or [path.name])]


def _mask_name(stem: str, frame: int) -> str:
    return safe_name(f"{stem}{f'_frame{frame + 1}' if frame else ''}", "_region.png", verbatim=True)


def folded_name(name: str) -> str:
    """What is the same of file names that differ only in the case of letters or the composition of accents.

    Examples
    --------
    >>> folded_name("P1_Région.PNG") == folded_name("p1_re\\u0301gion.png")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def find_mask(folder: Path, name: str) -> Path | None:
    """The mask of this name in a folder, or of one that `folded_name` calls the same; None if there is none.

    Editors and file systems change the case of a name: such a mask would be missed in silence.
    """
    exact = folder / name
    if exact.is_file():
        return exact
    wanted = folded_name(name)
    return min((item for item in folder.iterdir() if folded_name(item.name) == wanted and item.is_file()), default=None)


def unused_masks(folder: Path, names: Iterable[str]) -> list[str]:
    """Files in a folder of masks that `find_mask` gives for none of these names: no edited mask is missed in silence.

    Hidden files and a README are no masks. A folder within counts as a file, since no mask in it is looked for.
    """
    files: dict[str, list[str]] = {}
    for item in sorted(folder.iterdir()):
        if not item.name.startswith((".", "~")) and not item.name.casefold().startswith(_NO_MASKS):
            files.setdefault(folded_name(item.name), []).append(item.name)
    for name in names:
        found = files.get(folded_name(name), [])
        if found:
            found.remove(name if name in found else found[0])
    return sorted(name for found in files.values() for name in found)


def unused_note(folder: Path, names: Iterable[str]) -> str | None:
    """What must be said of `unused_masks`; None if there are none."""
    unused = unused_masks(folder, names)
    if not unused:
        return None
    more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
    files = "1 file" if len(unused) == 1 else f"{len(unused)} files"
    named = ", ".join(printable(name) for name in unused[:_NAMED])
    return f"{files} in the folder of masks not used, the name fits no image: {named}{more} (IMAGE_region.png is used)"


def read_mask(
    path: str | Path, shape: tuple[int, int], area: Area | None = None, screen: tuple[int, int] | None = None
) -> Region:
    """Read an edited mask: any picture, muscle where it is neither black nor transparent.

    Parameters
    ----------
    path
        Picture of the size of the B-mode image, or of the whole screen.
    shape
        ``(height, width)`` of the B-mode image.
    area, screen
        Where the B-mode image lies within the screen, and the screen's ``(height, width)``; None if the mask must fit
        as it is. A mask of any other size was enlarged or cut, and would mark another part of the muscle.

    Raises
    ------
    ImageError
        If the file is missing or damaged, or fits neither size, or marks nothing.
    """
    source = Path(path)
    levels = _levels(source)
    if levels.shape != shape and area is not None and levels.shape == screen:
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


def _levels(source: Path) -> NDArray[np.uint8]:
    """Grey levels of a picture; what is transparent has none."""
    try:
        with Image.open(source) as picture:
            rgba = picture.convert("RGBA")
    except FileNotFoundError as error:
        raise ImageError("the mask does not exist", path=source) from error
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"the mask cannot be decoded: {error}", path=source) from error
    black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    return np.asarray(Image.alpha_composite(black, rgba).convert("L"))


def write_mask(region: Region, path: str | Path) -> None:
    """Write the mask as a PNG, 255 in muscle."""
    save_result(Image.fromarray(np.where(region.mask, 255, 0).astype(np.uint8)), path)


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
