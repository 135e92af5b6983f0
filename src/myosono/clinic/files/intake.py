"""Taking an image in: on disk first, then in the queue. What `accept` returned for is never lost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydicom.uid import generate_uid
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myosono.clinic import audit, events
from myosono.clinic.database.models import StoredImage, Study, utc_now
from myosono.clinic.files.header import FileFacts, read_facts
from myosono.clinic.files.store import FileStore, StoredFile
from myosono.errors import ClinicError, UploadError
from myosono.imaging import Limits


@dataclass(frozen=True)
class Origin:
    """Where an image comes from.

    Attributes
    ----------
    source
        ``dicom``, ``upload`` or ``demo``.
    sender
        Calling AE title, or the user who uploads.
    name
        What the file was called, with folders (posix).
    study_uid
        Of files whose header names no study: those with one belong together. None makes a study of its own.
    patient_id, patient_name, patient_sex, patient_age
        Over what the file says, where they are given; sex is ``F`` or ``M``, age is in years.
    description
        Over what the file says.
    arrived
        When, if not now (the demonstration).
    """

    source: str
    sender: str
    name: str = ""
    study_uid: str | None = None
    patient_id: str | None = None
    patient_name: str = ""
    patient_sex: str = ""
    patient_age: float | None = None
    description: str = ""
    arrived: datetime | None = None


@dataclass(frozen=True)
class Staged:
    """An image that is safe on disk, and not yet in the database."""

    file: StoredFile
    facts: FileFacts
    origin: Origin


class Accepted(NamedTuple):
    """An image of a study; ``new`` is False if the study had it already."""

    image: StoredImage
    study: Study
    new: bool


def accept(session: Session, store: FileStore, data: bytes | Path, origin: Origin) -> Accepted:
    """Take one file in: `stage`, then `enqueue`.

    Parameters
    ----------
    session
        Opened for writing; the image is accepted when it has been committed.
    data
        The file's bytes, kept as they are, or where they lie.

    Raises
    ------
    UploadError
        If it is no image that is read here, too large, or of another patient than its study; `DiskFullError` if there
        is no room.
    """
    return enqueue(session, stage(store, data, origin))


def stage(store: FileStore, data: bytes | Path, origin: Origin) -> Staged:
    """Look at a file and write it to disk, without holding a lock of the database meanwhile. Errors as `accept`."""
    facts = read_facts(data, origin.name, Limits())
    return Staged(store.put(data, facts.suffix), facts, origin)


def enqueue(session: Session, staged: Staged) -> Accepted:
    """Put a staged image into its study and into the queue, once.

    A DICOM instance that the study has already is not taken again, even if a few bytes of its header differ (as when
    a PACS sends back what it received); the audit log then names the file that was left aside.

    Raises
    ------
    UploadError
        If the header states another Patient ID than the study has, or, where one of them has none, another name, birth
        date or sex: images of two people are never pooled.
    """
    facts, origin, file = staged.facts, staged.origin, staged.file
    study = _study(session, facts, origin)
    _check_patient(study, facts, told=bool(origin.patient_id or origin.patient_name))
    found = _find(session, study.id, staged)
    if found is not None:
        if found.sha256 != file.sha256:
            audit.record(session, _user(origin), "receive", study_id=study.id, duplicate_of=found.id, file=file.path)
        return Accepted(found, study, False)
    image = StoredImage(
        study_id=study.id,
        sha256=file.sha256,
        file=file.path,
        name=_name(origin.name),
        size=file.size,
        sop_instance_uid=facts.sop_instance_uid,
        sop_class_uid=facts.sop_class_uid,
        series_uid=facts.series_uid,
        muscle=facts.muscle,
        side=facts.side,
        received=origin.arrived or utc_now(),
    )
    try:
        with session.begin_nested():
            session.add(image)
    except IntegrityError as error:  # another process took the same bytes in meanwhile
        found = _find(session, study.id, staged)
        if found is None:
            raise ClinicError(f"the image cannot be recorded: {error.orig}") from error
        return Accepted(found, study, False)
    _complete(study, facts, origin)
    study.updated = utc_now()
    if study.status != "signed":
        study.status = "receiving"
    action = "receive" if origin.source == "dicom" else "upload"
    audit.record(session, _user(origin), action, study_id=study.id, image=image.id, sha256=file.sha256)
    events.publish(session, "study", study.id)
    return Accepted(image, study, True)


def _study(session: Session, facts: FileFacts, origin: Origin) -> Study:
    """The study that the image belongs to, locked until the transaction ends; made if it is new."""
    uid = facts.study_uid or origin.study_uid or generate_uid(prefix=None)
    wanted = select(Study).where(Study.study_uid == uid).with_for_update()
    study = session.scalar(wanted)
    if study is not None:
        return study
    arrived = origin.arrived or utc_now()
    study = Study(study_uid=uid, source=origin.source, sender=origin.sender[:200], arrived=arrived, updated=arrived)
    try:
        with session.begin_nested():
            session.add(study)
    except IntegrityError:
        return session.scalars(wanted).one()
    return study


def _check_patient(study: Study, facts: FileFacts, *, told: bool) -> None:
    """A study belongs to one patient (PS3.3 A.1.2.2), whatever carts and anonymisers do with its UID.

    ``told``: a person said whose images these are, over what headers without an ID may hold.
    """
    stated = facts.header_patient_id
    if not told and facts.study_uid is not None and not (stated and study.patient_id):
        _check_names(study, facts)
    if stated and study.patient_id and stated != study.patient_id:
        raise UploadError(
            f"states Patient ID {stated!r}, its study has images of {study.patient_id!r}",
            remedy="Correct the Patient ID or the Study Instance UID where the image was made, and send it again.",
        )


def _check_names(study: Study, facts: FileFacts) -> None:
    """Where an ID is not stated, a name, a birth date or a sex must not contradict what the study knows."""
    read, born = facts.patient, study.patient_birth_date
    mine, theirs = _name_parts(read.name), _name_parts(study.patient_name)
    sexes = {_known_sex(read.sex), _known_sex(study.patient_sex)} - {""}
    what = ""
    if mine and theirs and not (mine <= theirs or theirs <= mine):
        what = "name"
    elif read.birth_date and born and read.birth_date != born:
        what = "birth date"
    elif len(sexes) > 1:
        what = "sex"
    if what:
        raise UploadError(
            f"names another patient than the images of its study ({what})",
            remedy="Correct the patient or the Study Instance UID where the image was made, and send it again.",
        )


def _known_sex(sex: str | None) -> str:
    return sex if sex in ("F", "M") else ""


def _name_parts(name: str | None) -> frozenset[str]:
    """Of the first representation of a name (PS3.5 6.2.1.1), whatever its order and capitals."""
    first = (name or "").partition("=")[0]
    return frozenset(part for part in re.split(r"[\^\s,]+", first.casefold()) if part)


def _complete(study: Study, facts: FileFacts, origin: Origin) -> None:
    """Fill what the study does not know yet; the first image that states something is believed."""
    read = facts.patient
    study.patient_id = study.patient_id or origin.patient_id or read.id
    study.patient_name = study.patient_name or origin.patient_name or read.name
    study.patient_sex = study.patient_sex or origin.patient_sex or read.sex
    study.patient_birth_date = study.patient_birth_date or read.birth_date
    if study.patient_age is None:
        study.patient_age = origin.patient_age if origin.patient_age is not None else read.age
    study.accession = study.accession or facts.accession
    study.description = study.description or origin.description or facts.description
    study.study_date = study.study_date or facts.study_date
    study.device = study.device or facts.device


def _find(session: Session, study_id: int, staged: Staged) -> StoredImage | None:
    same = StoredImage.sha256 == staged.file.sha256
    if staged.facts.sop_instance_uid is not None:
        same |= StoredImage.sop_instance_uid == staged.facts.sop_instance_uid
    return session.scalars(select(StoredImage).where(StoredImage.study_id == study_id, same).limit(1)).first()


def _user(origin: Origin) -> str:
    return f"dicom:{origin.sender}" if origin.source == "dicom" else origin.sender


def _name(name: str) -> str:
    """The last 300 characters hold the file's own name, which tells the site."""
    return str(PurePosixPath(name))[-300:] if name else ""
