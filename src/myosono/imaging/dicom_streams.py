"""Compressed DICOM pixels: which decoder takes them, and a look at their own header before it does.

Found by fuzzing: GDCM aborts the whole process where a stream holds fewer pixels than the data set announces, and any
decoder works at the size that the stream states, four thousand million pixels if it likes. So a stream whose size is
not the data set's is refused before a decoder sees it. The other decoder of JPEG-LS, pyjpegls 1.5, works for minutes on
some that are merely cut short, so that GDCM reads them all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from myosono.errors import ImageError

_DECODERS = {
    JPEGBaseline8Bit: "pillow",
    JPEG2000: "pillow",
    JPEG2000Lossless: "pillow",
    JPEGLSLossless: "gdcm",
    JPEGLSNearLossless: "gdcm",
    JPEGExtended12Bit: "gdcm",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
}
# What a stream of each kind must begin with: GDCM never returns from some that are of another kind.
_PROCESSES = {
    JPEGExtended12Bit: frozenset({0xC0, 0xC1}),
    JPEGLossless: frozenset({0xC3}),
    JPEGLosslessSV1: frozenset({0xC3}),
    JPEGLSLossless: frozenset({0xF7}),
    JPEGLSNearLossless: frozenset({0xF7}),
}
# Start-of-frame markers of ITU-T T.81 table B.1 (C4, C8 and CC mean other things) and of JPEG-LS, T.87.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
# Start of codestream and size of a JPEG 2000 image (ITU-T T.800 A.5.1); a JP2 header may stand before it.
_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG_2000_REACH = 4096
_JPEG_2000_SIZE = struct.Struct(">HHIIIIIIIIHB")
_JP2_SIGNATURE, _JP2_CODESTREAM = b"\x00\x00\x00\x0cjP  ", b"jp2c"
_BOX_HEADER = 8


@dataclass(frozen=True)
class StreamSize:
    """What a JPEG stream says of itself. ``precision`` is bits a sample, ``process`` its marker, 0 for JPEG 2000."""

    height: int
    width: int
    samples: int
    precision: int
    process: int = 0

    @property
    def bytes(self) -> int:
        """Of all its pixels, decoded."""
        return self.height * self.width * self.samples * -(-self.precision // 8)


def decoder_of(syntax: UID) -> str:
    """Name of pydicom's decoding plugin for a transfer syntax; "" leaves the choice to pydicom."""
    return _DECODERS.get(syntax, "")


def check_streams(dataset: Dataset, syntax: UID, count: int, path: Path) -> None:
    """Compare what each frame's stream of the JPEG family says of itself with the data set.

    Raises
    ------
    ImageError
        If a stream has another size than announced or, where GDCM decodes it, holds fewer bytes.
    """
    decoder = decoder_of(syntax)
    if not decoder:
        return
    height, width = int(dataset.Rows), int(dataset.Columns)
    if (
        decoder == "gdcm"
        and int(dataset.get("SamplesPerPixel") or 1) > 1
        and dataset.BitsStored != dataset.BitsAllocated
    ):
        # GDCM aborts the process.
        raise ImageError(f"has colours of {dataset.BitsStored} bits stored in {dataset.BitsAllocated}", path=path)
    announced = height * width * int(dataset.get("SamplesPerPixel") or 1) * (int(dataset.BitsAllocated) // 8)
    for index, stream in enumerate(_streams(dataset, count)):
        found = stream_size(stream) if _boxes_advance(stream) else None
        if found is None:
            raise ImageError(f"frame {index + 1} of {count} is no JPEG stream", path=path)
        if syntax in _PROCESSES and found.process not in _PROCESSES[syntax]:
            raise ImageError(f"frame {index + 1} of {count} is no {syntax.name} stream", path=path)
        if (found.height, found.width) != (height, width) or (decoder == "gdcm" and found.bytes < announced):
            told = f"{found.width} x {found.height} pixels of {found.samples} x {found.precision} bits"
            raise ImageError(
                f"the JPEG stream of frame {index + 1} holds {told}, not what its header announces", path=path
            )


def _streams(dataset: Dataset, count: int) -> Iterator[bytes]:
    yield from generate_frames(dataset.PixelData, number_of_frames=count)


def _boxes_advance(stream: bytes) -> bool:
    """Whether the boxes of a JP2 file (ITU-T T.800 I.4) lead to its codestream.

    pydicom 3.0 follows a box of length 0 for ever.
    """
    if not stream.startswith(_JP2_SIGNATURE):
        return True
    place = int.from_bytes(stream[:4], "big")
    while place + _BOX_HEADER <= len(stream) and stream[place + 4 : place + _BOX_HEADER] != _JP2_CODESTREAM:
        length = int.from_bytes(stream[place : place + 4], "big")
        if length < _BOX_HEADER:
            return False
        place += length
    return True


def stream_size(stream: bytes) -> StreamSize | None:
    """Size of a JPEG, JPEG-LS or JPEG 2000 image from its own header, None if it has none.

    Examples
    --------
    >>> stream_size(bytes.fromhex("ffd8 ffc3 000b 08 0010 0020 01 011100"))
    StreamSize(height=16, width=32, samples=1, precision=8, process=195)
    >>> stream_size(b"not a stream") is None
    True
    """
    at = stream.find(_JPEG_2000, 0, _JPEG_2000_REACH)
    return _jpeg_2000_size(stream, at + len(_JPEG_2000)) if at >= 0 else _jpeg_size(stream)


def _jpeg_2000_size(stream: bytes, place: int) -> StreamSize | None:
    if len(stream) < place + _JPEG_2000_SIZE.size:
        return None
    _, _, right, bottom, left, top, *_, samples, depth = _JPEG_2000_SIZE.unpack_from(stream, place)
    return StreamSize(bottom - top, right - left, samples, (depth & 0x7F) + 1)


def _jpeg_size(stream: bytes) -> StreamSize | None:
    """From the frame header (ITU-T T.81 B.2.2)."""
    place = 2 if stream.startswith(b"\xff\xd8") else len(stream)
    while place + 10 <= len(stream):
        if stream[place] != 0xFF:
            return None
        marker = stream[place + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # fill bytes, and markers that stand alone
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _START_OF_FRAME:
            height = int.from_bytes(stream[place + 5 : place + 7], "big")
            width = int.from_bytes(stream[place + 7 : place + 9], "big")
            return StreamSize(height, width, stream[place + 9], stream[place + 4], marker)
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return None
