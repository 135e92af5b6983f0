"""The network inputs of a cohort, computed once with the exported preprocessing and kept on disk as float32."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.errors import RunError
from myosono.hashing import sha256_lines
from myosono.locking import alone
from myosono.networks import Preprocess
from myosono.progress import track


def prepare_inputs(
    cohort: Cohort, image_ids: list[str], size: int, path: Path, *, quiet: bool = False
) -> NDArray[np.float32]:
    """Preprocess images once; a finished file is used again when a run resumes.

    Parameters
    ----------
    cohort
        Open cohort.
    image_ids
        Rows, in order.
    size
        Side of the network input, in pixels.
    path
        The ``.npy`` file to keep them in. Of two processes that want it, one waits for the other.

    Returns
    -------
    ndarray
        Memory-mapped float32, ``(images, 1, size, size)``.

    Raises
    ------
    CohortError
        If an image is missing or unreadable.
    RunError
        If the disk has no room for them.
    """
    shape = (len(image_ids), 1, size, size)
    rows, lock = _beside(path)
    with alone(lock):
        kept = _kept(path, rows, shape, image_ids)
        if kept is None:
            rows.unlink(missing_ok=True)
            _write(cohort, image_ids, Preprocess(size), path, shape, quiet=quiet)
            rows.write_text(sha256_lines(image_ids) + "\n", encoding="utf-8")
            kept = np.load(path, mmap_mode="r")
    return kept


def discard_inputs(path: Path) -> None:
    """Remove prepared inputs, which are large and quickly made again, with what lies beside them."""
    for file in (path, *_beside(path)):
        file.unlink(missing_ok=True)


def _beside(path: Path) -> tuple[Path, Path]:
    """Whose rows they are, and the lock."""
    return path.with_suffix(".rows"), path.with_name(f".{path.stem}.lock")


def _kept(path: Path, rows: Path, shape: tuple[int, ...], image_ids: list[str]) -> NDArray[np.float32] | None:
    """What is there, if it is of these images in this order: a cohort's hash does not depend on its rows' order."""
    if not path.exists() or not rows.exists() or rows.read_text(encoding="utf-8").strip() != sha256_lines(image_ids):
        return None
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found if found.shape == shape else None


def _write(
    cohort: Cohort, image_ids: list[str], preprocess: Preprocess, path: Path, shape: tuple[int, ...], *, quiet: bool
) -> None:
    partial = path.with_suffix(".partial.npy")
    store = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
    _reserve(partial)
    with torch.no_grad():
        for row, image_id in enumerate(track(image_ids, "preprocessing images", disable=quiet)):
            store[row] = preprocess(torch.from_numpy(np.array(cohort.image(image_id))))[0].numpy()
    store.flush()
    del store
    partial.replace(path)


def _reserve(file: Path) -> None:
    """Take the room on the disk now: a mapped file that finds none later ends the process without a word."""
    if not hasattr(os, "posix_fallocate"):  # Windows and macOS
        return
    try:
        with file.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    except OSError as error:
        size = file.stat().st_size
        file.unlink()
        raise RunError(
            f"no room for the prepared images ({size / 1e9:.1f} GB): {error.strerror}",
            path=file,
            remedy="Free some, or choose another --out",
        ) from error
