"""One received dataset → intake → the status that its sender is told. Shared by the Storage SCP and by C-GET."""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from sqlalchemy.exc import SQLAlchemyError

from myosono.clinic import audit
from myosono.clinic.database.engine import Database
from myosono.clinic.files.header import read_facts
from myosono.clinic.files.intake import Origin, enqueue, stage
from myosono.clinic.files.store import FileStore
from myosono.errors import ClinicError, DiskFullError, OwnResultError, UploadError
from myosono.imaging import Limits

log = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DATASET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
"""PS3.4 table B.2-1."""

_COMMENT_LENGTH = 64
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True)
class Answer:
    """What a sender is told.

    Attributes
    ----------
    status
        Of the C-STORE response.
    comment
        Error Comment (0000,0902), at most 64 characters; empty where all is well.
    image_id
        Row of the stored image, None where it was refused.
    new
        False where the same bytes were here already.
    own
        True for a result of ours that came back, such as a heat map: it is not read as if it were an image.
    """

    status: int
    comment: str = ""
    image_id: int | None = None
    new: bool = False
    own: bool = False

    def dataset(self) -> Dataset:
        """For pynetdicom."""
        response = Dataset()
        response.Status = self.status
        if self.comment:
            response.ErrorComment = self.comment[:_COMMENT_LENGTH]
        return response


class Receiver:
    """Puts received datasets into the clinic.

    Parameters
    ----------
    database, store
        Where they go: a file that is flushed to disk, then a committed row, then the answer; in this order a crash
        loses nothing that was acknowledged.
    """

    def __init__(self, database: Database, store: FileStore) -> None:
        self.database = database
        self.store = store

    def receive(self, path: Path, sender: str, *, sop_class: str = "", sop_instance: str = "") -> Answer:
        """Accept a DICOM file; a status, never an exception, for what may go wrong with a file, disk or database.

        Parameters
        ----------
        path
            The dataset as it came, with file meta information in front.
        sender
            Calling AE title, or the name of the peer that it was fetched from.
        sop_class, sop_instance
            What the C-STORE request announced; "" where there was none.
        """
        try:
            mismatch = _mismatch(path, sop_class, sop_instance)
            if mismatch:
                return self._refuse(sender, sop_instance, DATASET_MISMATCH, mismatch)
            return self._take(path, sender)
        except DiskFullError as error:
            return _try_again(sender, error)
        except OwnResultError as error:
            return replace(self._refuse(sender, sop_instance, CANNOT_UNDERSTAND, str(error)), own=True)
        except UploadError as error:
            return self._refuse(sender, sop_instance, CANNOT_UNDERSTAND, str(error))
        except (ClinicError, SQLAlchemyError) as error:  # the folder cannot be written, the database does not answer
            return _try_again(sender, error)
        except OSError as error:
            if error.errno in _NO_ROOM:
                return _try_again(sender, error)
            raise

    def _take(self, path: Path, sender: str) -> Answer:
        staged = stage(self.store, path, Origin("dicom", sender))
        with self.database.session() as session:
            image, _, new = enqueue(session, staged)
        return Answer(SUCCESS, image_id=image.id, new=new)

    def _refuse(self, sender: str, sop_instance: str, status: int, reason: str) -> Answer:
        """Keep in the log what was turned away: a refused image must be found when somebody asks for it."""
        log.warning("refused an object from %s: %s", sender, reason)
        code = f"0x{status:04X}"
        try:
            with self.database.session() as session:
                user = f"dicom:{sender}"
                audit.record(session, user, "refuse", sop_instance=sop_instance, status=code, reason=reason[:200])
        except (ClinicError, SQLAlchemyError) as error:
            return _try_again(sender, error)
        return Answer(status, reason)


def receive_event(receiver: Receiver, event: evt.Event, sender: str) -> Answer:
    """Take the dataset of a C-STORE request that pynetdicom announces."""
    request = cast(C_STORE, event.request)
    if request._dataset_path is None:
        return Answer(CANNOT_UNDERSTAND, "no dataset")
    announced = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
    return receiver.receive(event.dataset_path, sender, sop_class=announced[0], sop_instance=announced[1])


def _try_again(sender: str, error: Exception) -> Answer:
    log.error("cannot take an object from %s: %s", sender, error)
    return Answer(OUT_OF_RESOURCES, "out of resources, send again later")


def _mismatch(path: Path, sop_class: str, sop_instance: str) -> str:
    """What the dataset contradicts of its own announcement, "" where nothing.

    Raises
    ------
    UploadError
        If it cannot be read, or inflates without end.
    """
    facts = read_facts(path, "", Limits())
    for keyword, found, announced in (
        ("SOPClassUID", facts.sop_class_uid, sop_class),
        ("SOPInstanceUID", facts.sop_instance_uid, sop_instance),
    ):
        if announced and found != announced:
            return f"{keyword} {found or 'missing'}, announced {announced}"
    return ""
