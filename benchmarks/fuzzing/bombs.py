"""Small files that announce, and hold, as many pixels as the limits allow or a little more."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from fuzzing.mutations import _png_chunk
from fuzzing.seeds import ultrasound

_SIDES = ((4000, 4000), (4000, 4001), (16_000, 1000), (1, 16_000_000), (2500, 4000))
_PNG_KINDS = ((8, 0, 1), (16, 0, 2), (8, 2, 3), (8, 6, 4), (16, 6, 8), (8, 4, 2), (1, 0, 1))
_FORMATS = (
    ("TIFF", "L"),
    ("TIFF", "I;16"),
    ("TIFF", "F"),
    ("TIFF", "RGB"),
    ("JPEG", "L"),
    ("JPEG", "RGB"),
    ("GIF", "P"),
)


def make_bomb(rng: random.Random) -> bytes:
    """One of them; the sides and the kind by chance."""
    height, width = rng.choice(_SIDES)
    roll = rng.random()
    if roll < 0.35:
        return _png(height, width, *rng.choice(_PNG_KINDS))
    if roll < 0.75:
        kind, mode = rng.choice(_FORMATS)
        return _pillow(kind, mode, min(height, 30_000), min(width, 30_000))
    return _dicom(rng, min(height, 60_000), min(width, 60_000))


def _png(height: int, width: int, depth: int, colour: int, samples: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    stream, row = zlib.compressobj(1), bytes(1 + max(1, width * samples * (1 if depth > 1 else 0)))
    body = b"".join(stream.compress(row) for _ in range(height)) + stream.flush()
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", body) + _png_chunk(b"IEND", b"")


def _pillow(kind: str, mode: str, height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    options = {"compression": "tiff_deflate"} if kind == "TIFF" else {}
    image = Image.new(mode, (width, height))
    if mode == "RGB":  # coloured all over: colour is looked at more closely than black
        image.paste((200, 30, 60), (0, 0, width, height // 2))
        image.paste((10, 90, 220), (0, height // 2, width, height))
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _dicom(rng: random.Random, height: int, width: int) -> bytes:
    dataset = dcmread(io.BytesIO(ultrasound(1)))
    dataset.Rows, dataset.Columns = height, width
    if rng.random() < 0.5:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        deep = rng.random() < 0.5
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (16, 12, 11) if deep else (8, 8, 7)
        dataset.PixelData = bytes(height * width * (2 if deep else 1))
    else:
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        colour = rng.random() < 0.5
        if colour:
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = (
                3,
                "YBR_FULL_422",
                0,
            )
        dataset.NumberOfFrames = rng.choice((1, 3))
        whole = _pillow("JPEG", "RGB" if colour else "L", height, width)
        dataset.PixelData = encapsulate([whole] * int(dataset.NumberOfFrames))
        dataset["PixelData"].is_undefined_length = True
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
