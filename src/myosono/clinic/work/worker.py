"""`Worker`: claims an image, reads it, keeps the result and pools its study; on and on."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from myosono.clinic import events
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import FrameReading, StoredImage
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work import queue
from myosono.clinic.work.pooling import lock_study, pool_study
from myosono.clinic.work.reader import StudyReader, open_reader
from myosono.errors import (
    ArtefactError,
    ClinicError,
    ConflictError,
    ImageError,
    MissingExtraError,
    MyosonoError,
    UnavailableError,
)

POLL_SECONDS = 0.25
RETRY_SECONDS = 2.0
"""How long a database that does not answer is left alone."""

TIDY_SECONDS = 600.0

_POOL_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Worker:
    """Reads what waits. Any number may run, in any number of processes.

    Parameters
    ----------
    settings
        Database, files, model, lease.
    database, reader
        Opened ones, where there are; else they are opened from the settings.
    beat
        Called often while all is well: at each turn and each frame. A watchdog may stop a process that falls silent.
    """

    def __init__(
        self,
        settings: ClinicSettings,
        *,
        database: Database | None = None,
        reader: StudyReader | None = None,
        owner: str | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.owner = owner or f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._database = database or Database(settings)
        self._reader = reader or open_reader(settings)
        self._store = FileStore(settings)
        self._beat = beat
        self._pooled: dict[int, float] = {}

    def run_once(self) -> bool:
        """Read one image; False if none waits.

        Raises
        ------
        UnavailableError
            If the database does not answer, or the folder of files is gone; the image is read again when its lease
            ends.
        """
        self._beat()
        if not self._something_waits():
            return False
        with self._database.session() as session:
            image = queue.claim(session, self.owner, self.settings.lease_seconds)
        if image is None:
            return self._give_up()
        try:
            self._keep(image, *self._read(image))
        except ConflictError:
            _log.warning("image %d was read, but its lease had ended: another worker reads it", image.id)
        return True

    def run_forever(self, stop: threading.Event) -> None:
        """Read until told to stop; what is being read is finished first. Waits where the database does not answer."""
        tidied = -TIDY_SECONDS
        while not stop.is_set():
            try:
                if time.monotonic() - tidied > TIDY_SECONDS:
                    self._tidy()
                    tidied = time.monotonic()
                busy = self.run_once()
            except UnavailableError as error:
                _log.error("reading waits: %s", error)
                self._resume(stop, forgive=True, error=None)
                continue
            except (ClinicError, SQLAlchemyError) as error:
                _log.exception("a result could not be kept")
                self._resume(stop, forgive=False, error=f"its result could not be kept: {_said(error)}")
                continue
            if not busy:
                stop.wait(POLL_SECONDS)

    def _tidy(self) -> None:
        """Drop what killed processes left half-written, and events that no page waits for."""
        self._store.sweep()
        with self._database.session() as session:
            events.forget_old(session)

    def _resume(self, stop: threading.Event, *, forgive: bool, error: str | None) -> None:
        """Wait for the database, then give back what was claimed; forgiven if the image cannot be to blame."""
        while not stop.wait(RETRY_SECONDS):
            self._beat()
            try:
                with self._database.session() as session:
                    queue.release(session, self.owner, forgive=forgive, error=error)
            except (ClinicError, SQLAlchemyError) as again:
                _log.warning("reading still waits: %s", again)
            else:
                return

    def _something_waits(self) -> bool:
        """A look without the write lock, so that an idle worker disturbs nobody."""
        with self._database.session(writes=False) as session:
            return queue.unread(session) > 0

    def _read(self, image: StoredImage) -> tuple[list[FrameReading], str | None, bool]:
        """Frames, why there are no more of them, and whether another attempt may help."""
        rows: list[FrameReading] = []
        renewed = time.monotonic()
        if not self._store.root.is_dir():
            remedy = "Work goes on when it is back."
            raise UnavailableError("the folder of files is gone", path=self._store.root, remedy=remedy)
        try:
            path = self._store.path(image.file)
            for row in self._reader.read(path, image.name, muscle=image.muscle, side=image.side):
                rows.append(row)
                self._beat()
                if time.monotonic() - renewed > self.settings.lease_seconds / 3:
                    self._renew(image.id)
                    renewed = time.monotonic()
        except (ImageError, MissingExtraError) as error:
            return rows, _said(error), False
        except (ArtefactError, MemoryError, OSError) as error:
            return [], _said(error), True
        return rows, None, False

    def _renew(self, image_id: int) -> None:
        with self._database.session() as session:
            queue.renew(session, image_id, self.owner, self.settings.lease_seconds)

    def _keep(self, image: StoredImage, rows: list[FrameReading], error: str | None, retry: bool) -> None:
        """Result, status, pooled study and event in one transaction. The study is locked first, as everywhere."""
        with self._database.session() as session:
            lock_study(session, image.study_id)
            if rows:
                kept = queue.finish(session, image.id, rows, owner=self.owner, error=error)
            else:
                kept = queue.fail(session, image.id, owner=self.owner, error=error or "holds no frame", retry=retry)
            session.flush()
            events.publish(session, "image", image.study_id, image=image.id, status=kept.status)
            if self._pool_is_due(image.study_id, queue.unread(session, image.study_id)):
                pool_study(session, image.study_id, self._reader)

    def _pool_is_due(self, study_id: int, left: int) -> bool:
        """Always after the last image; before it not more than once a second, or a large study costs its square."""
        now = time.monotonic()
        if left and now - self._pooled.get(study_id, -_POOL_SECONDS) < _POOL_SECONDS:
            return False
        if left:
            self._pooled[study_id] = now
        else:
            self._pooled.pop(study_id, None)
        return True

    def _give_up(self) -> bool:
        """Committed before the studies are pooled: whatever happens there, the images are not tried again."""
        with self._database.session() as session:
            ids = sorted({image.study_id for image in queue.give_up(session)})
        for study_id in ids:
            with self._database.session() as session:
                pool_study(session, study_id, self._reader)
        return bool(ids)


def _said(error: Exception) -> str:
    """The reason without the path inside the store, which tells a user nothing."""
    if isinstance(error, MyosonoError):
        reason = f"{error.reason.rstrip('.')}. {error.remedy}" if error.remedy else error.reason
        return " ".join(reason.split())
    return f"{type(error).__name__}: {error}"
