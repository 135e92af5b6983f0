"""Readers that misbehave on purpose, one in each way: what the harness must catch, a test sees it catch."""

from __future__ import annotations

import os
import random
from pathlib import Path

from myosono.errors import ImageError


def no_bytes(_rng: random.Random) -> bytes:
    """The readers below look at nothing."""
    return b""


def raise_key_error(_data: bytes, _folder: Path) -> None:
    """Another exception than those of the family."""
    raise KeyError("x")


def spin(_data: bytes, _folder: Path) -> None:
    """No end, and no exception that a handler could swallow."""
    while True:
        try:
            sum(range(1000))
        except Exception:  # noqa: BLE001
            continue


def take_memory(_data: bytes, _folder: Path) -> None:
    """More than may be resident."""
    bytearray(os.urandom(1024) * (1100 * 1024))


def hide_memory_error(_data: bytes, _folder: Path) -> None:
    """More than may be asked for, called a damaged file."""
    try:
        bytearray(8 * 1024**3)
    except MemoryError as error:
        raise ImageError("is damaged") from error


def write_outside(_data: bytes, folder: Path) -> None:
    """A file beside the folder."""
    target = folder.parent / f"{folder.name}-escaped"
    target.write_text("x")
    target.unlink()


def make_folder_outside(_data: bytes, folder: Path) -> None:
    """A folder that climbs."""
    target = folder / ".." / f"{folder.name}-folder"
    target.mkdir()
    target.rmdir()


def abort(_data: bytes, _folder: Path) -> None:
    """As a library does that gives up."""
    os.abort()


def write_inside(_data: bytes, folder: Path) -> None:
    """Allowed."""
    (folder / "sub").mkdir()
    (folder / "sub" / "x").write_text("x")


PROBES = {
    "crash": raise_key_error,
    "slow": spin,
    "memory": take_memory,
    "memory asked for": hide_memory_error,
    "escape": write_outside,
    "escape of a folder": make_folder_outside,
    "death": abort,
    "valid": write_inside,
}
