"""One frame of a stored file, as a screen shows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myosono.clinic.files.store import FileStore
from myosono.imaging import Frame
from myosono.imaging.read import read_frame


def load_frame(store: FileStore, relative_path: str, frame: int) -> tuple[NDArray[np.uint8], Frame]:
    """Decode one frame for display.

    Parameters
    ----------
    store, relative_path
        Where the file lies: `StoredImage.file`.
    frame
        Its number, from 0.

    Returns
    -------
    pixels
        Whole screen, ``(height, width)``, or ``(height, width, 3)`` RGB where the source has colours.
    frame
        What is known of it; its ``pixels`` are the grey levels that the network reads.

    Raises
    ------
    NotFoundError
        If the path points out of the store.
    ImageError
        If the file is gone or damaged, or has no such frame.
    """
    found = read_frame(store.path(relative_path), index=frame, colour=True)
    return (found.pixels if found.rgb is None else found.rgb), found
