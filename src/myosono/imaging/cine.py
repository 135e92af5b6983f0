"""Cine loops in MP4 and AVI files through OpenCV (the extra ``cine``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from myosono.errors import ImageError
from myosono.extras import require
from myosono.imaging.colour import coloured_pixels
from myosono.imaging.decoded import Decoded, Picture, checked_frames
from myosono.imaging.grey import luma
from myosono.imaging.guard import decoding
from myosono.imaging.limits import Limits

# Containers overstate their length a little; a real truncation loses more.
_TOLERATED_LOSS = 0.02

# FFmpeg writes about damage to standard error by itself; 'quiet' is level -8. It looks when it is first used.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def decode_cine(path: Path, limits: Limits, wanted: tuple[int, ...] | None = None) -> Decoded:
    """Open a cine loop; ``wanted`` are numbers of the frames to decode, ascending, None for all.

    Raises
    ------
    MissingExtraError
        If OpenCV is not installed.
    ImageError
        If it cannot be opened or exceeds a limit; later, from the iterator, if it ends too early.
    """
    cv2 = require("cv2", extra="cine", purpose="reading a cine video")
    with decoding(path, "open as video", also=(cv2.error,)):
        # FFmpeg alone: other back ends take names with digits for image sequences.
        logging = cv2.utils.logging
        log_level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        try:
            capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
        finally:
            logging.setLogLevel(log_level)
        opened = capture.isOpened()
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if opened else 0
        height, width = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
    if not opened:
        raise ImageError("cannot be opened as a video", path=path, remedy="Is it complete? Convert it to H.264 MP4.")
    limits.check_size(height, width, path)
    limits.check_frames(max(count, 1), path)
    count = max(count, 1)
    pictures = (
        _pictures(cv2, capture, count, path, limits)
        if wanted is None
        else _chosen(cv2, capture, checked_frames(wanted, count, path), path)
    )
    return Decoded(count, pictures, one_layout=True)


def _pictures(cv2: Any, capture: Any, count: int, path: Path, limits: Limits) -> Iterator[Picture]:
    index = 0
    try:
        while True:
            with decoding(path, f"decode video frame {index + 1}", also=(cv2.error,)):
                found, picture = capture.read()
            if not found:
                break
            index += 1
            limits.check_frames(index, path)
            yield _picture(picture)
    finally:
        capture.release()
    if index == 0 or index + max(1, _TOLERATED_LOSS * count) < count:
        raise ImageError(
            f"ends after {index} of {count} frames", path=path, remedy="The video is truncated or damaged."
        )


def _chosen(cv2: Any, capture: Any, numbers: Sequence[int], path: Path) -> Iterator[Picture]:
    """Passes over the frames between: a seek would land on the next key frame."""
    position = 0
    try:
        for index in numbers:
            with decoding(path, f"decode video frame {index + 1}", also=(cv2.error,)):
                while position < index and capture.grab():
                    position += 1
                found, picture = capture.read()
            if not found:
                raise ImageError(
                    f"ends before frame {index + 1}", path=path, remedy="The video is truncated or damaged."
                )
            position += 1
            yield _picture(picture)
    finally:
        capture.release()


def _picture(bgr: np.ndarray[Any, Any]) -> Picture:
    if bgr.ndim != 3:
        return Picture(_grey(bgr))
    rgb = bgr[..., ::-1]
    return Picture(_grey(bgr), coloured=coloured_pixels(rgb), rgb=lambda: np.ascontiguousarray(rgb, np.uint8))


def _grey(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return luma(picture[..., ::-1]) if picture.ndim == 3 else picture.astype(np.uint8)
