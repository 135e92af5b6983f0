"""Names for files made from an image: they tell images apart as the originals' names do, and every system takes them.

A name is shortened by what is known to be an image's suffix alone: of a DICOM file named by its UID, as of a patient
whose name holds a dot, the last part tells it from its neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from myosono.hashing import sha256_bytes

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".dcm", ".dicom", ".mp4", ".avi"})
"""Endings of image files, in lower case."""

MAX_BYTES = 200
"""Of a whole name in UTF-8: file systems allow 255, of which partial files and a number need some."""

_PLAIN = "LNM"  # categories of Unicode: letters, numbers, and the marks that many scripts write vowels with
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]+')  # by Windows; surrogates stand for bytes that are no text
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)")  # Windows opens these, whatever follows


def bare_name(path: PurePath) -> str:
    """File name without the suffix of an image.

    Examples
    --------
    >>> bare_name(PurePath("study/P001_RD_1.png")), bare_name(PurePath("study/1.2.826.0.1.3680043.8.498.100.1"))
    ('P001_RD_1', '1.2.826.0.1.3680043.8.498.100.1')
    """
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def safe_name(text: str, ending: str, *, verbatim: bool = False) -> str:
    """A file name that Linux, macOS and Windows take.

    Parameters
    ----------
    text
        What the name tells. All but letters and digits of any script, dots, hyphens and underscores becomes a hyphen;
        what is too long loses its beginning and gains a hash, so that it stays another's.
    ending
        Put behind it, as ``_region.png``; it must be short and plain.
    verbatim
        Replace only what some system refuses: for names by which a user finds a file again.

    Examples
    --------
    >>> safe_name("P1 (left)_0", ".png"), safe_name("左三角肌", ".png"), safe_name("P1 (left)", ".png", verbatim=True)
    ('P1-left-_0.png', '左三角肌.png', 'P1 (left).png')
    """
    kept = _REFUSED.sub("-", text) if verbatim else _hyphenated(unicodedata.normalize("NFC", text))
    kept = kept.lstrip(".") or "image"
    kept = f"_{kept}" if _DEVICES.match(kept + ending) else kept
    room = MAX_BYTES - len(ending.encode())
    if len(kept.encode()) > room:
        mark = "-" + sha256_bytes(text.encode("utf-8", "surrogatepass"))[:8]
        kept = kept.encode()[len(mark) - room :].decode(errors="ignore").lstrip(".") + mark
    return kept + ending


def unique_names(names: Sequence[str]) -> list[str]:
    """The same file names, those that occurred before numbered from 2: ``a.png``, ``a-2.png``.

    Names that differ in case or in the composition of accents alone are the same file on macOS and Windows.

    Examples
    --------
    >>> unique_names(["a.png", "b.png", "A.png", "a.png", "a-2.png"])
    ['a.png', 'b.png', 'A-3.png', 'a-4.png', 'a-2.png']
    """
    taken, seen = {_same_file(name) for name in names}, set[str]()
    found = []
    for name in names:
        if _same_file(name) in seen:
            stem, dot, ending = name.rpartition(".")
            number = 2
            while _same_file(name := f"{stem}-{number}{dot}{ending}") in taken:
                number += 1
            taken.add(_same_file(name))
        seen.add(_same_file(name))
        found.append(name)
    return found


def _hyphenated(text: str) -> str:
    plain = (char if char in "._-" or unicodedata.category(char)[0] in _PLAIN else " " for char in text)
    return re.sub(" +", "-", "".join(plain))


def _same_file(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def printable(name: str) -> str:
    """Text of a file name that can be written as UTF-8: bytes that were none, of other alphabets, as ``\\xd5``.

    Examples
    --------
    >>> printable(b"\\xd5\\xc5_RB_2.png".decode("utf-8", "surrogateescape"))
    '\\\\xd5\\\\xc5_RB_2.png'
    >>> printable("张_RB_2.png")
    '张_RB_2.png'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
