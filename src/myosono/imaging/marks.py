"""Pictures that myosono makes say so, so that none of them is ever read as a patient's image."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_KEYWORD, _VALUE = "Software", "myosono result"
_CHUNK = b"tEXt" + _KEYWORD.encode() + b"\0" + _VALUE.encode()
"""Text chunk of PNG (third edition, section 11.3.3.2); Pillow writes it ahead of the pixels."""


OWN_RESULT = "is a result that myosono made, not an image to read"
"""How such a picture is refused."""


def save_result(picture: Image.Image, path: str | Path | IO[bytes]) -> None:
    """Write a picture that is drawn from an image that was read (an overlay, a mask) as a PNG that says so.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    picture.save(path, format="PNG", pnginfo=result_mark())


def result_mark() -> PngInfo:
    """What such a PNG carries, for those who encode it themselves."""
    mark = PngInfo()
    mark.add_text(_KEYWORD, _VALUE)
    return mark


def is_own_result(head: bytes) -> bool:
    """Whether a file is such a picture, from its first bytes.

    Parameters
    ----------
    head
        At least `myosono.imaging.sniff.HEAD_BYTES`, or all of the file.
    """
    return _CHUNK in head
