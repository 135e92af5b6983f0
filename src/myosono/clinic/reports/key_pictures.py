"""The key frames of a study as pixels, for reports and for the objects that are sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from myosono.clinic.database.models import FrameReading
from myosono.clinic.files.frames import load_frame
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import KeyFrame
from myosono.clinic.studies.view import StudyView
from myosono.clinic.work.maps import unpack
from myosono.reading.overlay import class_relevance


@dataclass(frozen=True, eq=False)
class KeyPicture:
    """A key frame with its pixels.

    Attributes
    ----------
    key
        Site, image and frame.
    grey
        B-mode area as the network read it, uint8 ``(height, width)``; what the screen says around it is left out.
    relevance
        What speaks for the key's class more than for the others, ``(h, w)``; None where the reader abstained.
    """

    key: KeyFrame
    grey: NDArray[np.uint8]
    relevance: NDArray[np.float32] | None


def load_key_picture(session: Session, store: FileStore, view: StudyView, key: KeyFrame) -> KeyPicture:
    """Pixels and map of one key frame.

    Raises
    ------
    NotFoundError, ImageError
        If the file that was read is gone or damaged since.
    ClinicError
        If its stored maps are damaged.
    """
    _, frame = load_frame(store, key.image.file, key.frame.frame)
    top, left, bottom, right = key.frame.area
    return KeyPicture(key, np.ascontiguousarray(frame.pixels[top:bottom, left:right]), _relevance(session, view, key))


def _relevance(session: Session, view: StudyView, key: KeyFrame) -> NDArray[np.float32] | None:
    reading = session.get(FrameReading, key.frame.id) if key.frame.has_maps else None
    if reading is None or reading.maps is None or key.heat_class not in view.classes:
        return None
    maps, _ = unpack(reading.maps)
    return class_relevance(maps, view.classes.index(key.heat_class))
