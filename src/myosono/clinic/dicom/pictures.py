"""The key frames of a study as pixels: what a Secondary Capture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from myosono.clinic.database.models import FrameReading
from myosono.clinic.files.frames import load_frame
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import KeyFrame, choose_key_frames
from myosono.clinic.studies.view import StudyView
from myosono.clinic.work.maps import unpack


@dataclass(frozen=True, eq=False)
class KeyPicture:
    """A key frame of a DICOM image.

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


def load_key_pictures(session: Session, store: FileStore, view: StudyView) -> list[KeyPicture]:
    """Pixels and maps of the frame that stands for each site, in the order of the sites; DICOM images only.

    Raises
    ------
    NotFoundError, ImageError
        If a file that was read is gone or damaged since.
    ClinicError
        If its stored maps are damaged.
    """
    found = []
    for key in choose_key_frames(view):
        if key.image.sop_instance_uid is None:
            continue
        _, frame = load_frame(store, key.image.file, key.frame.frame)
        top, left, bottom, right = key.frame.area
        grey = np.ascontiguousarray(frame.pixels[top:bottom, left:right])
        found.append(KeyPicture(key, grey, _relevance(session, view, key)))
    return found


def _relevance(session: Session, view: StudyView, key: KeyFrame) -> NDArray[np.float32] | None:
    reading = session.get(FrameReading, key.frame.id) if key.frame.has_maps else None
    if reading is None or reading.maps is None or key.heat_class not in view.classes:
        return None
    maps, _ = unpack(reading.maps)
    # As `myosono.reading.overlay` draws it.
    relevance: NDArray[np.float32] = maps[view.classes.index(key.heat_class)] - maps.mean(axis=0)
    return relevance
