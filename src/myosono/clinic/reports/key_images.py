"""The pictures of a report: for each site one frame, grey and with the heat map of the site's class."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image
from sqlalchemy.orm import Session

from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_frames import choose_key_frames, grey_key, heat_key
from myosono.clinic.reports.key_pictures import load_key_picture
from myosono.clinic.studies.view import StudyView
from myosono.errors import MyosonoError
from myosono.imaging import result_mark
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
            picture = load_key_picture(session, store, view, key)
        except (MyosonoError, OSError):
            continue
        pictures[grey_key(key.frame)] = _png(Image.fromarray(picture.grey))
        if picture.relevance is not None:
            pictures[heat_key(key.frame)] = _png(heat_over(picture.grey, picture.relevance))
    return pictures


def _png(picture: Image.Image) -> bytes:
    if picture.width > _WIDTH:
        height = max(1, round(picture.height * _WIDTH / picture.width))
        picture = picture.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, pnginfo=result_mark())
    return buffer.getvalue()
