"""The network inputs of a cohort, computed once with the exported preprocessing and kept on disk as float32."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.errors import RunError
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
    with alone(path.with_name(f".{path.stem}.lock")):
        kept = _kept(path, shape)
        if kept is None:
            _write(cohort, image_ids, Preprocess(size), path, shape, quiet=quiet)
            kept = np.load(path, mmap_mode="r")
    return kept


def _kept(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    found: NDArray[np.float32] | None = np.load(path, mmap_mode="r") if path.exists() else None
    return found if found is not None and found.shape == shape else None


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
