"""PNG files whose length tells next to nothing about the picture."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PADDING = b"smPd"  # ancillary, private, safe to copy: readers skip it
_OVERHEAD = 12
_BYTES_PER_PIXEL = 0.66
_STEP = 16384
_END = 12  # the closing IEND chunk


def write_png(path: Path, picture: NDArray[np.uint8]) -> bytes:
    """Write ``picture`` losslessly; pictures of one size become files of one length, if they compress as speckle does.

    Compression would otherwise leave a trace of the class in the file's size: brighter muscle, longer file. A picture
    that compresses worse is padded to the next step of 16 KiB.

    Parameters
    ----------
    path
        File to write.
    picture
        uint8, shape ``(rows, columns)``.

    Returns
    -------
    bytes
        What was written.
    """
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", compress_level=1)
    bare = stream.getvalue()
    length = int(_BYTES_PER_PIXEL * picture.size) + 1024
    while length < len(bare) + _OVERHEAD:
        length += _STEP
    body = _PADDING + bytes(length - len(bare) - _OVERHEAD)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = bare[:-_END] + chunk + bare[-_END:]
    path.write_bytes(data)
    return data
