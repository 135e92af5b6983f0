"""How an intact file is damaged. Each function takes a `random.Random`: a case can be made again from its number."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

_TELLING = (0, 1, 2, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63)
_WORDS = (
    b"", b"nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"9" * 400, b"null", b"true", b"[]", b"{}", b'""', b"\0",
    b"../../../etc/passwd", b"/etc/passwd", b"C:\\Windows\\x", b"=1+1", b"\xff\xfe", "王小东".encode(), b"\xe2\x80\xae",
    b"[" * 5000, b'{"a":' * 3000, b'"' * 200, b",", b";", b"\t", b"\r", b"\n", b"%s%n", b"{0.__class__}",
)  # fmt: skip


def truncate(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """Cut off the end, as a broken transfer does; headers are cut as often as bodies."""
    keep = rng.randrange(min(len(data), 2048) if rng.random() < 0.5 else len(data))
    return data[:keep]


def flip_bits(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """One to sixteen bits, half of the time in the header."""
    damaged = bytearray(data)
    reach = min(len(data), 1024) if rng.random() < 0.5 else len(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        damaged[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def overwrite(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """A whole number of 1 to 8 bytes by one that is telling: wrong lengths, gigantic dimensions, negative counts."""
    size = rng.choice((1, 2, 4, 8))
    if len(data) < size:
        return data
    reach = min(len(data), 512) if rng.random() < 0.7 else len(data)
    place = rng.randrange(max(1, reach - size + 1))
    value = (rng.choice(_TELLING) + rng.choice((0, 0, -1, 1))) % 256**size
    return data[:place] + value.to_bytes(size, rng.choice(("little", "big"))) + data[place + size :]


def splice(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """The beginning of this file and the end of another."""
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def move_chunk(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """A part left out, doubled, or put elsewhere."""
    start = rng.randrange(len(data) + 1)
    chunk = data[start : start + rng.randrange(1, 1 + max(1, len(data) // 8))]
    rest = data[:start] + data[start + len(chunk) :]
    place = rng.randrange(len(rest) + 1)
    return rng.choice((rest, data[:start] + chunk + data[start:], rest[:place] + chunk + rest[place:]))


def insert_word(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """A text that a parser may trip over, in the place of some bytes or between them."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_WORDS) + data[place + rng.choice((0, 0, 1, 5, 20)) :]


def swap_fields(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """A value of a text file, between two of its signs, by a word that is telling."""
    signs = [place for place, byte in enumerate(data) if byte in b',:"\n=[]{};\t']
    if len(signs) < 2:
        return insert_word(rng, data, ())
    first = rng.randrange(len(signs) - 1)
    return data[: signs[first] + 1] + rng.choice(_WORDS) + data[signs[first + 1] :]


GENERAL: tuple[Mutation, ...] = (truncate, flip_bits, overwrite, splice, move_chunk, insert_word)
TEXT: tuple[Mutation, ...] = (
    truncate,
    flip_bits,
    splice,
    move_chunk,
    insert_word,
    swap_fields,
    swap_fields,
    swap_fields,
)


def png_header(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """Another size, depth or colour type in a PNG."""
    width, height = rng.choice(_SIZES)
    depth, colour = rng.choice(((8, 0), (16, 0), (8, 2), (16, 6), (8, 6), (1, 0), (8, 3), (4, 7)))
    return data[:16] + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, rng.choice((0, 0, 1))) + data[29:]


def png_pixels(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Damage below the compression of a PNG: filters and scan lines, with a stream that inflates without complaint."""
    pieces = [(kind, zlib.decompress(body) if kind == b"IDAT" else body) for kind, body in _png_chunks(data)]
    return data[:8] + b"".join(
        _png_chunk(kind, zlib.compress(rng.choice(GENERAL)(rng, body, (body,)), 1) if kind == b"IDAT" else body)
        for kind, body in pieces
    )


def with_png_checksums(data: bytes) -> bytes:
    """A damaged PNG whose checksums agree again, so that decoders look further than the first chunk."""
    return data[:8] + b"".join(_png_chunk(kind, body) for kind, body in _png_chunks(data))


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        found.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    return found


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_png(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A damaged PNG; mostly with checksums that agree."""
    data = rng.choice(seeds)
    if rng.random() < 0.3:
        data = png_pixels(rng, data, seeds)
    if rng.random() < 0.8:
        data = several(rng, data, seeds, (*GENERAL, png_header))
    return with_png_checksums(data) if rng.random() < 0.7 else data


_SIZES = ((1, 1), (0, 5), (2**31 - 1, 1), (1, 2**31 - 1), (65535, 65535), (8000, 8000), (7999, 8001), (20000, 3000))


def bmp_header(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """Another size or depth in a BMP."""
    width, height = rng.choice(_SIZES)
    fields = struct.pack("<iiHH", width, rng.choice((height, -height)), 1, rng.choice((1, 4, 8, 16, 24, 32, 0)))
    return data[:18] + fields + data[30:] if len(data) > 30 else data


def several(rng: random.Random, data: bytes, seeds: Sequence[bytes], mutations: Sequence[Mutation]) -> bytes:
    """One mutation mostly, up to four sometimes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        data = rng.choice(mutations)(rng, data, seeds)
    return data
