"""What a member of a ZIP archive is called, where the archive does not say how its names are written.

Without the UTF-8 flag a name is code page 437 by the standard (APPNOTE D.1), and in fact whatever the computer that
packed it uses: Windows in China writes GBK, and macOS UTF-8 without the flag. A name is a patient's identity here.
"""

from __future__ import annotations

import struct
import zipfile
import zlib

from myosono.imaging.dicom import undeclared_text

_UTF_8 = 0x800
_UNICODE_PATH, _VERSION, _HEAD = 0x7075, 1, 5
"""Info-ZIP Unicode Path (APPNOTE 4.6.9): version, CRC-32 of the name that it replaces, then the name in UTF-8."""


def member_name(entry: zipfile.ZipInfo) -> str:
    """The name as it was meant, unchecked: it may hold anything, NUL and ``..`` included.

    The archive's own UTF-8 name if it has one, else what `undeclared_text` takes the bytes for, else code page 437.

    Examples
    --------
    >>> member_name(zipfile.ZipInfo("张三_RD_1.png".encode("gbk").decode("cp437")))
    '张三_RD_1.png'
    >>> member_name(zipfile.ZipInfo("Müller_RD_1.png"))
    'Müller_RD_1.png'
    """
    if entry.flag_bits & _UTF_8:
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437")  # as `zipfile` decoded it, which loses nothing
    return _unicode_path(entry.extra, raw) or undeclared_text(raw) or entry.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in the extra field, ``""`` without one; a wrong CRC says that the member was renamed since."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field, at = extra[at + 4 : at + 4 + size], at + 4 + size
        if kind == _UNICODE_PATH and len(field) > _HEAD and field[0] == _VERSION:
            crc = int.from_bytes(field[1:_HEAD], "little")
            return _utf_8(field[_HEAD:]) if crc == zlib.crc32(raw) else ""
    return ""


def _utf_8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
