"""Uploads: files, folders and archives that a person sends, sorted into studies."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from myosono.clinic.database.engine import Database
from myosono.clinic.files.archive import Member, is_archive, unpack
from myosono.clinic.files.header import PatientFacts
from myosono.clinic.files.intake import Origin, Staged, enqueue, stage
from myosono.clinic.files.store import UNPACKING, FileStore
from myosono.errors import ClinicError, DiskFullError, UploadError

_BATCH = 25
_SYSTEM_FILES = {"dicomdir", "thumbs.db", "desktop.ini"}
_SYSTEM_FOLDERS = {"__macosx"}


@dataclass(frozen=True)
class AcceptedFile:
    """An image that is in a study; ``new`` is False if it was there already."""

    name: str
    study_id: int
    image_id: int
    new: bool


@dataclass(frozen=True)
class LeftOut:
    """A file that was not taken, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class UploadOutcome:
    """What became of an uploaded file, or of each file of an uploaded archive.

    Attributes
    ----------
    accepted
        Safe on disk and in the queue.
    refused
        What the sender should know of.
    skipped
        What operating systems and DICOM media add: hidden files, ``DICOMDIR``, ``Thumbs.db``.
    """

    accepted: tuple[AcceptedFile, ...] = ()
    refused: tuple[LeftOut, ...] = ()
    skipped: tuple[LeftOut, ...] = ()


def new_upload() -> str:
    """A name for files that are sent together."""
    return uuid.uuid4().hex


def receive_upload(
    database: Database,
    store: FileStore,
    path: Path,
    name: str,
    *,
    upload: str,
    sender: str,
    study_uid: str | None = None,
    description: str = "",
) -> UploadOutcome:
    """Take one uploaded file, or all images of an archive.

    DICOM goes into the study of its header. Other images of one upload are one study, unless headers or names
    (``<patient>_<site>_<shot>``) tell several patients apart.

    Parameters
    ----------
    path
        Where the bytes lie.
    name
        What the file was called, with its folders.
    upload
        From `new_upload`; the same for all files that were sent together.
    sender
        Name of the user.
    study_uid
        Study that images whose header names none are added to.

    Returns
    -------
    UploadOutcome
        All that it lists as accepted is committed.

    Raises
    ------
    DiskFullError
        If there is no room. What was accepted before stays; sending all again takes nothing twice.
    ClinicError
        If the database does not answer; likewise.
    """
    limits = database.settings.uploads
    store.check_room()
    name = _relative(name)
    taken = _Taken(database, store, upload, sender, study_uid, description)
    with tempfile.TemporaryDirectory(prefix=UNPACKING, dir=store.root) as scratch:
        members = unpack(path, name, limits, Path(scratch)) if is_archive(path) else iter([Member(name, path)])
        try:
            for member in members:
                taken.stage(member)
        except DiskFullError:
            raise
        except UploadError as error:
            taken.refused.append(LeftOut(str(error.path or name), _reason(error)))
        taken.enqueue()
    return UploadOutcome(tuple(taken.accepted), tuple(taken.refused), tuple(taken.skipped))


@dataclass
class _Taken:
    database: Database
    store: FileStore
    upload: str
    sender: str
    study_uid: str | None
    description: str
    accepted: list[AcceptedFile] = field(default_factory=list)
    refused: list[LeftOut] = field(default_factory=list)
    skipped: list[LeftOut] = field(default_factory=list)

    staged: list[Staged] = field(default_factory=list)

    def stage(self, member: Member) -> None:
        """Safe on disk before the next member is unpacked over it; in the queue with a few others."""
        skip = _reason_to_skip(member.name)
        if skip:
            self.skipped.append(LeftOut(member.name, skip))
        elif member.path is None:
            self.refused.append(LeftOut(member.name, member.refusal))
        else:
            try:
                self.staged.append(self._in_its_study(stage(self.store, member.path, self._origin(member.name))))
            except DiskFullError:
                raise
            except UploadError as error:
                self.refused.append(LeftOut(member.name, _reason(error)))
        if len(self.staged) >= _BATCH:
            self.enqueue()

    def enqueue(self) -> None:
        """Commit what is staged."""
        if not self.staged:
            return
        found: list[AcceptedFile] = []
        refused: list[LeftOut] = []
        with self.database.session() as session:
            for one in self.staged:
                try:
                    image, study, new = enqueue(session, one)
                    found.append(AcceptedFile(one.origin.name, study.id, image.id, new))
                except UploadError as error:
                    refused.append(LeftOut(one.origin.name, _reason(error)))
        self.accepted += found
        self.refused += refused
        self.staged.clear()

    def _origin(self, name: str) -> Origin:
        return Origin("upload", self.sender, name=name, description=self.description)

    def _in_its_study(self, staged: Staged) -> Staged:
        """Its patient is known once its header has been read; a header that names a study goes by that."""
        uid = self.study_uid or _study_uid(self.upload, _who(staged.facts.patient))
        return replace(staged, origin=replace(staged.origin, study_uid=uid))


def _reason_to_skip(name: str) -> str:
    parts = PurePosixPath(name).parts
    if any(part.startswith(".") for part in parts):
        return "hidden file"
    if any(part.lower() in _SYSTEM_FOLDERS for part in parts) or parts[-1].lower() in _SYSTEM_FILES:
        return "not an image"
    return ""


def _relative(name: str) -> str:
    """A browser's name for the file, as text below no folder of ours; it is only ever shown and parsed.

    Raises
    ------
    UploadError
        If it points somewhere.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise UploadError(f"{name[:100]!r} is no name of an uploaded file")
    return str(path)


def _who(patient: PatientFacts) -> str:
    """What tells patients of one upload apart: the ID, else the name and birth date of a header."""
    return patient.id or " ".join(filter(None, (patient.name, str(patient.birth_date or ""))))


def _study_uid(upload: str, patient: str) -> str:
    """The same for the same patient in the same upload (PS3.5 B.2, a UID from a UUID)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'myosono upload {upload} {patient}').int}"


def _reason(error: ClinicError) -> str:
    return f"{error.reason.rstrip('.')}. {error.remedy}" if error.remedy else error.reason
