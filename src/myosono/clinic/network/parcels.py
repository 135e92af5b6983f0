"""The files of an outbox item, made once: however often it is sent, the peer gets the same object."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem, StoredImage
from myosono.clinic.dicom.header import stated_at
from myosono.clinic.dicom.objects import load_sources, make_objects
from myosono.clinic.dicom.pictures import load_key_pictures
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.key_images import key_images
from myosono.clinic.reports.pdf import render_pdf
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError

FOLDER = "outbox"


class Parcels:
    """Makes and finds the files of outbox items, below ``<data>/outbox``.

    Parameters
    ----------
    settings, database
        Where studies and their files are.
    """

    def __init__(self, settings: ClinicSettings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.store = FileStore(settings)
        self.folder = settings.data / FOLDER

    def files(self, item: OutboxItem) -> list[Path]:
        """The item's files, made if they are not there yet.

        Raises
        ------
        MyosonoError
            If the objects cannot be made: no DICOM source, no result.
        """
        if item.kind == "images":
            return self._images(item)
        folder = self.folder / (item.file or _name(item))
        if not folder.is_dir():
            self._write(folder, self._make(item))
        if item.file is None:
            with self.database.session() as session:
                kept = session.get(OutboxItem, item.id)
                if kept is not None:
                    kept.file = folder.relative_to(self.folder).as_posix()
        return sorted(folder.glob("*.dcm"))

    def _images(self, item: OutboxItem) -> list[Path]:
        """Received images are sent as they came, from where they lie."""
        with self.database.session(writes=False) as session:
            wanted = select(StoredImage.file).where(
                StoredImage.study_id == item.study_id, StoredImage.sop_instance_uid.is_not(None)
            )
            files = [self.store.path(name) for name in session.scalars(wanted.order_by(StoredImage.id))]
        if not files:
            raise ClinicError(f"study {item.study_id} has no DICOM images", remedy="Uploaded pictures are not sent.")
        return files

    def _make(self, item: OutboxItem) -> Sequence[Dataset]:
        with self.database.session(writes=False) as session:
            made = make_study_objects(session, self.settings, self.store, item)
        if not made:
            raise ClinicError(f"study {item.study_id} gives no {item.kind}", remedy="Has it been read?")
        return made

    def _write(self, folder: Path, datasets: Sequence[Dataset]) -> None:
        """All files or none: a process that dies in between leaves nothing that looks complete."""
        making = folder.with_name(f".{folder.name}-{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for number, dataset in enumerate(datasets, start=1):
            with (making / f"{number:03d}.dcm").open("wb") as stream:
                dataset.save_as(stream, enforce_file_format=True)
                stream.flush()
                os.fsync(stream.fileno())
        try:
            making.rename(folder)
        except OSError:
            shutil.rmtree(making)
            if not folder.is_dir():  # else another process made it meanwhile, and its objects count
                raise


def _name(item: OutboxItem) -> str:
    """Of the item's folder, with the moment of its creation.

    A database that was restored or begun anew counts from an old number on, while the folders of that time remain: by
    its number alone an item would find, and send, the object of another study.
    """
    return f"{item.id}-{item.kind}-{item.created:%Y%m%dT%H%M%S%f}"


def make_study_objects(session: Session, settings: ClinicSettings, store: FileStore, item: OutboxItem) -> list[Dataset]:
    """DICOM objects of a study as it stands.

    Raises
    ------
    MyosonoError
        If they cannot be made.
    """
    view = load_study(session, item.study_id)
    sources = load_sources(view, store)
    pdf = _pdf(session, settings, store, view) if item.kind == "pdf" else None
    pictures = load_key_pictures(session, store, view) if item.kind == "capture" else None
    return make_objects(view, (item.kind,), sources, pdf, pictures)


def _pdf(session: Session, settings: ClinicSettings, store: FileStore, view: StudyView) -> bytes:
    """Dated when what it says was so: an unchanged study gives the same object again."""
    return render_pdf(view, settings.language, key_images(session, store, view), made=stated_at(view))
