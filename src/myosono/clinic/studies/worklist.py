"""The worklist: which studies there are, the most likely diseased first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, distinct, func, or_, select
from sqlalchemy.orm import Session

from myosono.anatomy import MUSCLES, SIDES
from myosono.clinic.database.models import PhysicianReading, StoredImage, Study, User
from myosono.clinic.studies.days import end_of, first_moment
from myosono.errors import UsageError

Order = Literal["priority", "arrived", "study_date", "patient", "source", "device", "status", "answer"]

STATUSES = ("receiving", "read", "failed", "signed")
SOURCES = ("dicom", "upload", "demo")
UNDECIDED = "undecided"
"""The answer filter's word for studies without a single diagnosis."""
EXPECTED_SITES = len(MUSCLES) * len(SIDES)
MAX_PAGE_SIZE = 200

_ANSWER = Study.result["answer"].as_string()
_LABEL = Study.result["label"].as_string()
_ORDERS: Mapping[str, ColumnElement[Any]] = {
    "priority": Study.priority.expression,
    "arrived": Study.arrived.expression,
    "study_date": Study.study_date.expression,
    "patient": func.lower(func.coalesce(func.nullif(Study.patient_name, ""), Study.patient_id)),
    "source": Study.source.expression,
    "device": func.lower(Study.device),
    "status": case({name: rank for rank, name in enumerate(STATUSES)}, value=Study.status, else_=len(STATUSES)),
    "answer": _ANSWER,
}


@dataclass(frozen=True)
class WorklistQuery:
    """What to list.

    Attributes
    ----------
    text
        Words that must all occur in patient name, patient id, accession number, description, device, sender or UID.
    status, source
        One of `STATUSES` and `SOURCES`; ``""`` for all.
    answer
        A class, for studies with that single diagnosis; `UNDECIDED`; ``""`` for all.
    since, until
        Days of arrival, both included, by the clinic's clock.
    page
        From 1.
    """

    text: str = ""
    status: str = ""
    answer: str = ""
    source: str = ""
    since: date | None = None
    until: date | None = None
    order: Order = "priority"
    descending: bool = True
    page: int = 1
    page_size: int = 50

    def __post_init__(self) -> None:
        _check("status", self.status, STATUSES)
        _check("source", self.source, SOURCES)
        if self.order not in _ORDERS:
            raise UsageError(f"no such order: {self.order!r}", remedy=f"One of {', '.join(_ORDERS)}.")
        if not 1 <= self.page <= 10**6 or not 1 <= self.page_size <= MAX_PAGE_SIZE:
            raise UsageError(
                f"page {self.page} of {self.page_size}", remedy=f"Pages count from 1, up to {MAX_PAGE_SIZE} a page."
            )


def _check(what: str, value: str, known: Sequence[str]) -> None:
    if value and value not in known:
        raise UsageError(f"no such {what}: {value!r}", remedy=f"One of {', '.join(known)}.")


@dataclass(frozen=True)
class WorklistRow:
    """One study in the list.

    Attributes
    ----------
    probabilities
        Of the patient, None before anything was read.
    answer
        ``IBM``; ``IBM or PM``; ``abstains``; ``""`` before anything was read.
    sites, expected_sites
        Muscles with at least one image that is not failed, and how many the protocol has.
    reader
        Who signed last or, with ``reader_state="draft"``, who has an unsigned draft.
    reader_state
        ``signed``, ``amended``, ``draft`` or ``""``.
    """

    id: int
    study_uid: str
    source: str
    sender: str
    patient_id: str
    patient_name: str
    accession: str
    study_date: date | None
    arrived: datetime
    device: str
    status: str
    priority: float | None
    probabilities: Mapping[str, float] | None
    answer: str
    label: str | None
    abstained: bool
    images: int
    images_read: int
    images_failed: int
    sites: int
    expected_sites: int
    reader: str
    reader_state: str


@dataclass(frozen=True)
class WorklistPage:
    """One page of the list; ``counts`` is studies by status over the whole list, before any filter."""

    rows: tuple[WorklistRow, ...]
    total: int
    page: int
    pages: int
    counts: Mapping[str, int]
    answers: tuple[str, ...]


def list_studies(session: Session, query: WorklistQuery) -> WorklistPage:
    """Studies that match, in order, one page of them.

    Returns
    -------
    WorklistPage
        ``page`` is at most the last one, so that a filter typed on page 5 does not show nothing. ``answers`` are the
        single diagnoses that occur, for the filter.
    """
    wanted = _filtered(select(Study), query)
    total = session.scalar(select(func.count()).select_from(wanted.order_by(None).subquery())) or 0
    pages = max(1, -(-total // query.page_size))
    page = min(query.page, pages)
    key = _ORDERS[query.order]
    ordered = wanted.order_by(
        (key.desc() if query.descending else key.asc()).nulls_last(), Study.arrived.desc(), Study.id.desc()
    )
    studies: Sequence[Study] = session.scalars(
        ordered.limit(query.page_size).offset((page - 1) * query.page_size)
    ).all()
    counts = session.execute(select(Study.status, func.count()).group_by(Study.status)).tuples()
    answers = session.scalars(select(_LABEL).where(_LABEL.is_not(None)).distinct())
    return WorklistPage(
        rows=_rows(session, studies),
        total=total,
        page=page,
        pages=pages,
        counts=dict(counts.all()),
        answers=tuple(sorted(str(answer) for answer in answers)),
    )


def _filtered(statement: Select[Any], query: WorklistQuery) -> Select[Any]:
    searched = (
        Study.patient_name, Study.patient_id, Study.accession, Study.description,
        Study.device, Study.sender, Study.study_uid,
    )  # fmt: skip
    for word in query.text.split():
        statement = statement.where(or_(*(column.icontains(word, autoescape=True) for column in searched)))
    if query.status:
        statement = statement.where(Study.status == query.status)
    if query.source:
        statement = statement.where(Study.source == query.source)
    if query.answer == UNDECIDED:
        statement = statement.where(and_(_ANSWER.is_not(None), _LABEL.is_(None)))
    elif query.answer:
        statement = statement.where(query.answer == _LABEL)
    if query.since:
        statement = statement.where(Study.arrived >= first_moment(query.since))
    if query.until:
        statement = statement.where(Study.arrived < end_of(query.until))
    return statement


def _rows(session: Session, studies: Sequence[Study]) -> tuple[WorklistRow, ...]:
    ids = [study.id for study in studies]
    images = _image_counts(session, ids)
    readers = _readers(session, ids)
    return tuple(_row(study, images.get(study.id, (0, 0, 0, 0)), readers.get(study.id, ("", ""))) for study in studies)


def _row(study: Study, images: tuple[int, int, int, int], reader: tuple[str, str]) -> WorklistRow:
    result = study.result or {}
    return WorklistRow(
        id=study.id,
        study_uid=study.study_uid,
        source=study.source,
        sender=study.sender,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        accession=study.accession,
        study_date=study.study_date,
        arrived=study.arrived,
        device=study.device,
        status=study.status,
        priority=study.priority,
        probabilities=result.get("probabilities"),
        answer=str(result.get("answer") or ""),
        label=result.get("label"),
        abstained=bool(result.get("abstained", False)),
        images=images[0],
        images_read=images[1],
        images_failed=images[2],
        sites=images[3],
        expected_sites=EXPECTED_SITES,
        reader=reader[0],
        reader_state=reader[1],
    )


def _image_counts(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int, int, int]]:
    """Study -> images, read, failed, muscles shown."""
    read = StoredImage.status == "read"
    failed = StoredImage.status == "failed"
    placed = and_(StoredImage.muscle.is_not(None), StoredImage.side.is_not(None), ~failed)
    site = case((placed, cast(StoredImage.side, String) + cast(StoredImage.muscle, String)))
    found = session.execute(
        select(
            StoredImage.study_id,
            func.count(),
            func.count(case((read, 1))),
            func.count(case((failed, 1))),
            func.count(distinct(site)),
        )
        .where(StoredImage.study_id.in_(ids))
        .group_by(StoredImage.study_id)
    )
    return {study: (total, done, lost, sites) for study, total, done, lost, sites in found.tuples()}


def _readers(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Study -> name and state of the latest reading; a signed one goes before any draft."""
    found = session.execute(
        select(PhysicianReading, User)
        .join(User, User.id == PhysicianReading.user_id)
        .where(PhysicianReading.study_id.in_(ids))
        .order_by(PhysicianReading.id)
    )
    readers: dict[int, tuple[str, str]] = {}
    for reading, user in found.tuples():
        name = user.full_name or user.name
        if reading.signed_at is not None:
            amended = reading.amends_id or readers.get(reading.study_id, ("", ""))[1] == "amended"
            readers[reading.study_id] = (name, "amended" if amended else "signed")
        elif readers.get(reading.study_id, ("", "draft"))[1] == "draft":
            readers[reading.study_id] = (name, "draft")
    return readers
