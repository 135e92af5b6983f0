"""The reader's rule in the web process, for pooling a study again after a correction. It reads no image here."""

from __future__ import annotations

import threading
from typing import cast

from fastapi import FastAPI

from myosono.clinic.work.reader import StudyReader, open_reader

_lock = threading.Lock()


def study_reader(app: FastAPI) -> StudyReader:
    """The application's reader, opened when it is first asked for.

    Raises
    ------
    ArtefactError
        If a model file cannot be used.
    CohortError
        If the reference of normals cannot.
    """
    with _lock:
        if getattr(app.state, "study_reader", None) is None:
            app.state.study_reader = open_reader(app.state.settings)
    return cast(StudyReader, app.state.study_reader)
