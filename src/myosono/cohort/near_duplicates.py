"""Images that look alike: a 64-bit difference hash proposes pairs, the correlation of small thumbnails confirms them.

The hash alone is too coarse for muscle, where most images share a bright skin above a dark depth: it gives the
candidates in milliseconds, and the correlation of 32 by 32 thumbnails decides. Both see the whole image: copies that
were stored anew are found (JPEG, another size, noise, most gains), cut-outs, shifts, turns and mirrored ones are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GreyImage = NDArray[np.uint8]

MAX_DISTANCE = 10
"""Candidates differ in at most this many of 64 bits."""

MIN_CORRELATION = 0.985
"""Pearson correlation of thumbnails from which two images count as near-duplicates."""

_SIDE = 32
_BITS_IN_BYTE = np.array([bin(value).count("1") for value in range(256)], dtype=np.uint8)


@dataclass(frozen=True)
class Fingerprint:
    """A difference hash and a standardised thumbnail (float32, 1024 values, norm 1; zeros for a flat image)."""

    dhash: int
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SimilarPair:
    """Two images by position, the bits in which their hashes differ, and the correlation of their thumbnails."""

    first: int
    second: int
    distance: int
    correlation: float


def dhash(image: GreyImage) -> int:
    """64-bit difference hash: whether each of 8 by 8 cells is brighter than its right neighbour.

    Examples
    --------
    >>> ramp = np.tile(np.arange(90, dtype=np.uint8), (80, 1))
    >>> dhash(ramp), dhash(ramp[:, ::-1]) == 2**64 - 1
    (0, True)
    """
    cells = np.asarray(Image.fromarray(image).resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (cells[:, :-1] > cells[:, 1:]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def fingerprint(image: GreyImage) -> Fingerprint:
    """Hash and thumbnail of a grey image, uint8 ``(height, width)``."""
    small = np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float32).ravel()
    centred = small - small.mean()
    norm = float(np.linalg.norm(centred))
    return Fingerprint(dhash(image), centred / norm if norm > 0 else centred)


def similar_pairs(
    prints: Sequence[Fingerprint], *, max_distance: int = MAX_DISTANCE, min_correlation: float = MIN_CORRELATION
) -> list[SimilarPair]:
    """Pairs of near-duplicates, by position, each once, first before second."""
    if len(prints) < 2:
        return []
    hashes = np.array([item.dhash for item in prints], dtype=np.uint64)
    thumbnails = np.stack([item.thumbnail for item in prints])
    pairs = []
    for first, second, distance in _close(hashes, max_distance):
        correlation = _correlation(thumbnails, first, second)
        keep = correlation >= min_correlation
        pairs += [
            SimilarPair(int(a), int(b), int(d), float(c))
            for a, b, d, c in zip(first[keep], second[keep], distance[keep], correlation[keep], strict=True)
        ]
    return pairs


def _correlation(
    thumbnails: NDArray[np.float32], first: NDArray[Any], second: NDArray[Any], block: int = 4096
) -> NDArray[np.float32]:
    """Of pairs, a block at a time: the frames of one long clip are all candidates, and a pair gathers 8 KiB."""
    found = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), block):
        part = slice(start, start + block)
        found[part] = np.einsum("ij,ij->i", thumbnails[first[part]], thumbnails[second[part]])
    return found


def similarity_groups(count: int, pairs: Iterable[SimilarPair]) -> list[int]:
    """Group number of each of ``count`` images, where near-duplicates (of near-duplicates) share a group."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for pair in pairs:
        low, high = sorted((root(pair.first), root(pair.second)))
        parent[high] = low
    numbers = {item: number for number, item in enumerate(sorted({root(item) for item in range(count)}))}
    return [numbers[root(item)] for item in range(count)]


def _close(
    hashes: NDArray[np.uint64], max_distance: int, block: int = 256
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Candidate pairs, a block of rows at a time, so that 10,000 images need no 10,000 by 10,000 table."""
    for start in range(0, len(hashes), block):
        rows = hashes[start : start + block]
        differing = (rows[:, None] ^ hashes[None, start:])[..., None].view(np.uint8)
        distance = _BITS_IN_BYTE[differing].sum(axis=-1, dtype=np.uint8)
        first, second = np.nonzero(distance <= max_distance)
        ahead = second > first
        first, second = first[ahead], second[ahead]
        yield first + start, second + start, distance[first, second]
