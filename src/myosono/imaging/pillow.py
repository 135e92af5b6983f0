"""PNG, JPEG, TIFF, BMP and GIF through Pillow."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from myosono.errors import ImageError
from myosono.imaging.colour import coloured_pixels
from myosono.imaging.decoded import Decoded, Picture, checked_frames
from myosono.imaging.frame import GreyImage
from myosono.imaging.grey import rounded, scaled, used_bits
from myosono.imaging.guard import decoding
from myosono.imaging.limits import Limits
from myosono.imaging.sniff import Kind

# The format's own class, not Image.open: that would try other formats on a damaged file, and its guard
# against bombs speaks of pixels only, before we can name width and height.
_PLUGINS = {
    Kind.PNG: ("PIL.PngImagePlugin", "PngImageFile"),
    Kind.JPEG: ("PIL.JpegImagePlugin", "JpegImageFile"),
    Kind.TIFF: ("PIL.TiffImagePlugin", "TiffImageFile"),
    Kind.BMP: ("PIL.BmpImagePlugin", "BmpImageFile"),
    Kind.GIF: ("PIL.GifImagePlugin", "GifImageFile"),
}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _MIN_IS_WHITE = 258, 262, 0

_Span = tuple[float, float]
"""Least and greatest value of all pages of one mode."""


def decode_pillow(
    data: bytes, kind: Kind, path: Path, limits: Limits, wanted: tuple[int, ...] | None = None
) -> Decoded:
    """Open a still image, a multi-page TIFF or an animation.

    Parameters
    ----------
    data
        The file's bytes.
    kind
        PNG, JPEG, TIFF, BMP or GIF.
    path
        For messages.
    limits
        Checked before any pixel is decoded.
    wanted
        Numbers of the frames to decode, ascending; None: all.

    Raises
    ------
    ImageError
        If the header is damaged or a limit is exceeded; later, from the iterator, if a frame is damaged.
    """
    module, name = _PLUGINS[kind]
    with decoding(path, f"open as {kind.value}"):
        image: Image.Image = getattr(importlib.import_module(module), name)(io.BytesIO(data))
        limits.check_size(image.height, image.width, path)
        count = int(getattr(image, "n_frames", 1))
    limits.check_frames(count, path)
    numbers = checked_frames(wanted, count, path)
    return Decoded(count, _pictures(image, numbers, count, kind, path, limits), one_layout=kind is Kind.GIF)


def _pictures(
    image: Image.Image, numbers: Sequence[int], count: int, kind: Kind, path: Path, limits: Limits
) -> Iterator[Picture]:
    spans = _spans(image, count, path, limits) if count > 1 and _is_deep(image.mode) else {}
    for index in numbers:
        with decoding(path, f"decode {kind.value} frame {index + 1} of {count}"):
            if count > 1:
                image.seek(index)
            limits.check_size(image.height, image.width, path)
            image.load()
            picture = _to_grey(_upright(image), path, spans)
        yield picture


def _upright(image: Image.Image) -> Image.Image:
    """As every viewer shows it; Pillow turns TIFF by itself."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _is_deep(mode: str) -> bool:
    return mode in ("F", "I") or mode.startswith("I;16")


def _spans(image: Image.Image, count: int, path: Path, limits: Limits) -> dict[str, _Span]:
    """What values the pages of each deep mode reach, so that one scale serves all and their grey levels compare.

    Of a page that cannot be decoded nothing is known here; its error is told when its turn comes.
    """
    found: dict[str, _Span] = {}
    for index in range(count):
        try:
            with decoding(path, f"decode page {index + 1} of {count}"):
                image.seek(index)
                limits.check_size(image.height, image.width, path)
                image.load()
        except ImageError:
            break
        values = np.asarray(image) if _is_deep(image.mode) else np.empty(0)
        if values.size and np.isfinite(values).all():
            low, high = found.get(image.mode, (np.inf, -np.inf))
            found[image.mode] = min(low, float(values.min())), max(high, float(values.max()))
    return found


def _to_grey(image: Image.Image, path: Path, spans: Mapping[str, _Span]) -> Picture:
    if image.mode == "L":
        return Picture(_array(image))
    if image.mode == "F":
        return _from_float(image, path, spans.get("F"))
    if _is_deep(image.mode):
        return _from_deep(image, spans.get(image.mode))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        # What is transparent has no colour of its own; a scanner's background is black.
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    if image.mode not in ("1", "RGB"):
        image = image.convert("RGB")
    if image.mode != "RGB":
        return Picture(_array(image.convert("L")))
    rgb = np.array(image, dtype=np.uint8)
    return Picture(_array(image.convert("L")), coloured=coloured_pixels(rgb), rgb=lambda: rgb)


def _array(image: Image.Image) -> GreyImage:
    return np.array(image, dtype=np.uint8)


def _from_deep(image: Image.Image, span: _Span | None) -> Picture:
    tags: Any = getattr(image, "tag_v2", {})
    announced = int(tags.get(_BITS_PER_SAMPLE, (16,))[0]) if image.mode != "I" else 16
    values = np.asarray(image).astype(np.int64)
    low, high = (int(end) for end in span or ((values.min(), values.max()) if values.size else (0, 0)))
    if low < 0:
        # Signed data: only differences mean anything, so zero moves to the minimum.
        values, high = values - low, high - low
    if high >= 2**announced:
        announced = 32
    bits, warning = used_bits(high, announced)
    if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        # Pillow inverts 8-bit WhiteIsZero images itself, 16-bit ones it leaves.
        values = 2**announced - 1 - values
        bits, warning = announced, None
    return Picture(scaled(values, bits), (warning,) if warning else ())


def _from_float(image: Image.Image, path: Path, span: _Span | None) -> Picture:
    values = np.asarray(image, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ImageError("holds floating-point pixels that are not finite", path=path)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        raise ImageError(
            f"holds floating-point pixels from {low:.4g} to {high:.4g}, neither 0..1 nor 0..255",
            path=path,
            remedy="Scale it to 0..255.",
        )
    peak = high if span is None else span[1]
    return Picture(rounded(values * 255 if peak <= 1 else values))
