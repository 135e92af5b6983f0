"""The pictures of a report: for each site one frame, grey and with the heat map of the site's class."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session

from myosono.clinic.database.models import FrameReading
from myosono.clinic.files.frames import load_frame
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import choose_key_frames, grey_key, heat_key
from myosono.clinic.studies.view import StudyView
from myosono.clinic.work.maps import unpack
from myosono.errors import MyosonoError
from myosono.reading.overlay import heat_over

_WIDTH = 480
"""Pixels; twice what a thumbnail has on paper at 150 dots an inch."""


def key_images(session: Session, store: FileStore, view: StudyView) -> Mapping[str, bytes]:
    """PNG pictures of the key frames, cropped to the B-mode area: what the rest of a screen may say of a person stays.

    Parameters
    ----------
    session
        For the heat maps.
    store
        For the pixels.
    view
        The study.

    Returns
    -------
    mapping
        By `grey_key` and `heat_key`. A frame whose file is gone or cannot be decoded is absent, and the report says
        so in its place.
    """
    pictures: dict[str, bytes] = {}
    for key in choose_key_frames(view):
        try:
            _, frame = load_frame(store, key.image.file, key.frame.frame)
        except (MyosonoError, OSError):
            continue
        top, left, bottom, right = key.frame.area
        grey = np.ascontiguousarray(frame.pixels[top:bottom, left:right])
        pictures[grey_key(key.frame)] = _png(Image.fromarray(grey))
        reading = session.get(FrameReading, key.frame.id) if key.frame.has_maps else None
        if reading is not None and reading.maps is not None and key.heat_class in view.classes:
            maps, _ = unpack(reading.maps)
            # As `myosono.reading.overlay` draws it: what speaks for this class more than for the others.
            relevance = maps[view.classes.index(key.heat_class)] - maps.mean(axis=0)
            pictures[heat_key(key.frame)] = _png(heat_over(grey, relevance))
    return pictures


def _png(picture: Image.Image) -> bytes:
    if picture.width > _WIDTH:
        height = max(1, round(picture.height * _WIDTH / picture.width))
        picture = picture.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
