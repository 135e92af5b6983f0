"""Tell a file's format from its first bytes, never from its name."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from myosono.errors import ImageError

HEAD_BYTES = 512
"""How much of a file `sniff` wants to see."""


class Kind(Enum):
    """Formats that myosono reads."""

    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    BMP = "BMP"
    GIF = "GIF"
    DICOM = "DICOM"
    MP4 = "MP4"
    AVI = "AVI"


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),
    (b"MM\x00+", Kind.TIFF),
    (b"BM", Kind.BMP),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
)

# Data sets written without the preamble of PS3.10 section 7.1 start with one of these elements.
_BARE_DICOM = tuple(
    group + element
    for group, elements in (
        (b"\x02\x00", (b"\x00\x00", b"\x01\x00", b"\x02\x00")),
        (b"\x08\x00", (b"\x00\x00", b"\x01\x00", b"\x05\x00", b"\x08\x00", b"\x12\x00", b"\x16\x00", b"\x18\x00")),
    )
    for element in elements
)

_KNOWN_STRANGERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF\r\n", "an HDF5 or MATLAB v7.3 file"),
    (b"MATLAB", "a MATLAB file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a Parquet table"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<!DOCTYPE", "a web page (a failed download?)"),
    (b"<html", "a web page (a failed download?)"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 file"),
)


def sniff(head: bytes) -> Kind | None:
    """The format of a file that starts with ``head``, or None if it is none that myosono reads.

    Examples
    --------
    >>> sniff(b"GIF89a" + bytes(20))
    <Kind.GIF: 'GIF'>
    >>> sniff(b"hello") is None
    True
    """
    # First, because the preamble may hold a TIFF header (PS3.10 section 7.1): such a file is both, and the
    # DICOM side knows more.
    if head[128:132] == b"DICM":
        return Kind.DICOM
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (kind is not Kind.BMP or _plausible_bmp(head)):
            return kind
    if head[4:8] in (b"ftyp", b"moov", b"mdat") and len(head) >= 12:
        return Kind.MP4
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Kind.AVI
    return Kind.DICOM if len(head) > 8 and head.startswith(_BARE_DICOM) else None


def require_kind(head: bytes, path: Path) -> Kind:
    """Like `sniff`, but an unknown format is an `ImageError` that says what the file looks like."""
    if not head:
        raise ImageError("is empty (0 bytes)", path=path)
    kind = sniff(head)
    if kind is None:
        raise ImageError(
            f"is not an image that myosono reads: it looks like {describe_stranger(head)}",
            path=path,
            remedy="Give PNG, JPEG, TIFF, BMP, GIF, DICOM, MP4 or AVI.",
        )
    return kind


def describe_stranger(head: bytes) -> str:
    """What a file of no known image format seems to be."""
    for magic, name in _KNOWN_STRANGERS:
        if head[: len(magic)].lower() == magic.lower():
            return name
    printable = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    return "text" if head and printable > 0.95 * len(head) else "binary data of an unknown kind"


def _plausible_bmp(head: bytes) -> bool:
    # Two letters are a weak signature: the header length that follows must be one of those defined.
    return len(head) >= 18 and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)
