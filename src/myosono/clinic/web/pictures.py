"""Frames, thumbnails and map overlays as picture files, made once and kept below ``data/cache``."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from myosono.clinic.files.frames import load_frame
from myosono.clinic.files.store import FileStore
from myosono.clinic.work.maps import unpack
from myosono.errors import NotFoundError
from myosono.imaging import result_mark
from myosono.reading.overlay import HEAT_COLOURS, REMOVED_COLOURS, class_relevance

THUMBNAIL_SIZE = (320, 240)
SHRINKAGE = "shrinkage"
"""The layer's name of what the threshold removed."""
CACHE_BYTES = 4 * 1024**3
_CHECK_EVERY = 500
_FORM = "1"  # raise when pictures come to look different: old ones are then made anew


class PictureCache:
    """A folder of derived pictures that may be deleted at any time.

    Parameters
    ----------
    root
        The folder.
    limit
        Bytes; the pictures longest unused go first when there are more.
    """

    def __init__(self, root: Path, limit: int = CACHE_BYTES) -> None:
        self.root = root
        self._limit = limit
        self._made = 0
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The picture of a name, made if it is not there. A full disk costs the copy, not the picture."""
        path = self.root / name[:2] / name
        try:
            data = path.read_bytes()
        except OSError:
            data = make()
            self._keep(path, data)
        return data

    def _keep(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as target:
                target.write(data)
            Path(temporary).replace(path)
        except OSError:
            return
        with self._lock:
            self._made += 1
            due = self._made % _CHECK_EVERY == 0
        if due:
            self.shrink()

    def shrink(self) -> None:
        """Remove the oldest pictures beyond the limit."""
        found = []
        for path in self.root.rglob("*"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                found.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


def frame_png(store: FileStore, file: str, frame: int) -> bytes:
    """The whole screen of a frame, without loss."""
    pixels, _ = load_frame(store, file, frame)
    return _encoded(Image.fromarray(pixels), "PNG", compress_level=1)


def thumbnail_webp(store: FileStore, file: str, frame: int, area: tuple[int, int, int, int] | None) -> bytes:
    """The B-mode area of a frame, made small."""
    pixels, found = load_frame(store, file, frame)
    top, left, bottom, right = area or (found.area.top, found.area.left, found.area.bottom, found.area.right)
    picture = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    picture.thumbnail(THUMBNAIL_SIZE, Image.Resampling.LANCZOS)
    return _encoded(picture, "WEBP", quality=80, method=2)


def map_png(packed: bytes, classes: tuple[str, ...], layer: str, size: tuple[int, int]) -> bytes:
    """A map as a picture whose opacity grows with the value, to be laid over the B-mode area.

    Parameters
    ----------
    packed
        From `myosono.clinic.work.maps.pack`.
    layer
        A class, whose map is shown minus the mean of all (what speaks for it more than for the others), or `SHRINKAGE`.
    size
        Width and height of the B-mode area.

    Raises
    ------
    NotFoundError
        If there is no such layer.
    """
    class_maps, shrinkage = unpack(packed)
    if layer == SHRINKAGE:
        values, scale = shrinkage, REMOVED_COLOURS
    elif layer in classes:
        values, scale = class_relevance(class_maps, classes.index(layer)), HEAT_COLOURS
    else:
        raise NotFoundError(f"no such map: {layer!r}", remedy=f"One of {', '.join((*classes, SHRINKAGE))}.")
    return _encoded(Image.fromarray(_coloured(values, scale, size)), "PNG", compress_level=3, pnginfo=result_mark())


def _coloured(values: NDArray[np.float32], scale: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGBA; scaled by the largest value and enlarged as the reports' pictures are (`myosono.reading.overlay`)."""
    share = np.clip(values, 0, None) / max(float(values.max()), 1e-6)
    large = Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    heat = np.asarray(large).clip(0, 1)
    steps = np.linspace(0, 1, len(scale))
    channels = [np.interp(heat, steps, scale[:, channel]) for channel in range(3)]
    return np.stack([*channels, 255 * heat], axis=-1).round().astype(np.uint8)


def picture_name(kind: str, sha256: str, *parts: object) -> str:
    """A file name in the cache: the hash of the source first, since the cache is a folder of such prefixes."""
    return "-".join([sha256, kind, _FORM, *(str(part) for part in parts)])


def _encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
