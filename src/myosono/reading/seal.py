"""The seal of a model file: a hash of all its other bytes, as its last metadata property.

A sealed file that had a bit flipped, or was edited and saved again, is recognised before the runtime parses a byte of
it; one that lost its end, when its metadata turn out to promise a seal. The seal tells damage from health; it is no
signature, since whoever edits a file on purpose can seal it anew.
"""

from __future__ import annotations

import hashlib
from enum import Enum

SEAL_KEY = "myosono_sha256"
"""Name of the ONNX metadata property that holds the hash."""

_DIGITS = 64


class Seal(Enum):
    """What the end of a model file says."""

    INTACT = "intact"
    BROKEN = "broken"
    ABSENT = "absent"


def _field(tag: int, content: bytes) -> bytes:
    """One length-delimited field of a protocol buffer; lengths here stay below 128 and take one byte."""
    return bytes([tag, len(content)]) + content


def _trailer(digest: str) -> bytes:
    """``ModelProto.metadata_props`` (field 14) with ``key`` (1) and ``value`` (2); onnx.proto3 of the ONNX standard."""
    return _field(0x72, _field(0x0A, SEAL_KEY.encode()) + _field(0x12, digest.encode()))


_LENGTH = len(_trailer("0" * _DIGITS))


def seal(model: bytes) -> bytes:
    """A serialised ONNX model with its seal appended; appending a field is valid in protocol buffers.

    Examples
    --------
    >>> seal_of(seal(b"weights")), seal_of(b"other" + seal(b"weights")), seal_of(b"weights")
    (<Seal.INTACT: 'intact'>, <Seal.BROKEN: 'broken'>, <Seal.ABSENT: 'absent'>)
    """
    return model + _trailer(hashlib.sha256(model).hexdigest())


def seal_of(data: bytes) -> Seal:
    """Whether the bytes of a file end in a seal, and whether it is theirs."""
    body, end = data[:-_LENGTH], data[-_LENGTH:]
    if end[:-_DIGITS] != _trailer("0" * _DIGITS)[:-_DIGITS]:
        return Seal.ABSENT
    return Seal.INTACT if end == _trailer(hashlib.sha256(body).hexdigest()) else Seal.BROKEN
