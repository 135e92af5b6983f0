"""The network inputs of a cohort, computed once with the exported preprocessing and kept on disk as float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.cohort import Cohort
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
        The ``.npy`` file to keep them in.

    Returns
    -------
    ndarray
        Memory-mapped float32, ``(images, 1, size, size)``.

    Raises
    ------
    CohortError
        If an image is missing or unreadable.
    """
    shape = (len(image_ids), 1, size, size)
    if path.exists():
        kept: NDArray[np.float32] = np.load(path, mmap_mode="r")
        if kept.shape == shape:
            return kept
    preprocess = Preprocess(size)
    partial = path.with_suffix(".partial.npy")
    store = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
    with torch.no_grad():
        for row, image_id in enumerate(track(image_ids, "preprocessing images", disable=quiet)):
            store[row] = preprocess(torch.from_numpy(np.array(cohort.image(image_id))))[0].numpy()
    store.flush()
    del store
    partial.replace(path)
    loaded: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return loaded
