"""The physician's reading: drafted, signed, and from then on only amended.

A draft belongs to its author and may change; there is at most one of each author and study. What was signed is never
changed (database triggers refuse it too): an amendment is a new signed row that names the old one and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from sqlalchemy import select
from sqlalchemy.orm import Session

from myosono.anatomy import DIAGNOSES, parse_site
from myosono.clinic import audit, events
from myosono.clinic.database.models import PhysicianReading, StoredImage, Study, utc_now
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.signature import UNREAD
from myosono.errors import ConflictError, ForbiddenError, NotFoundError, UsageError

OTHER = "Other"
"""Another disease than the model knows."""
NOT_ASSESSABLE = "Not assessable"
"""The physician cannot tell either."""
MAX_NOTES = 20_000
MAX_DIAGNOSIS = 100


@dataclass(frozen=True)
class Author:
    """Who reads: a row of the users' table."""

    id: int
    name: str


@dataclass(frozen=True)
class Opinion:
    """What a physician states of a study.

    Attributes
    ----------
    diagnosis
        A class of the model, `OTHER` or `NOT_ASSESSABLE`; ``""`` while drafting.
    heckmatt
        Site code such as ``RD`` -> grade 1 (normal) to 4 (bone echo lost); Heckmatt et al. 1982, J Pediatr 101:656.
    agrees
        With the model's answer; None where nothing is said, or the model gave no single diagnosis.
    """

    diagnosis: str = ""
    heckmatt: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""
    agrees: bool | None = None

    def __post_init__(self) -> None:
        if len(self.diagnosis) > MAX_DIAGNOSIS:
            raise UsageError(f"the diagnosis is longer than {MAX_DIAGNOSIS} characters", remedy="Use the notes.")
        if len(self.notes) > MAX_NOTES:
            raise UsageError(f"the notes are longer than {MAX_NOTES} characters", remedy="Shorten them.")
        for site, grade in self.heckmatt.items():
            if parse_site(site) is None:
                raise UsageError(f"no such site: {site!r}", remedy="Side and muscle, such as RD.")
            if isinstance(grade, bool) or grade not in (1, 2, 3, 4):
                raise UsageError(f"Heckmatt grade {grade!r} at {site}", remedy="Grades are 1, 2, 3 and 4.")


def save_draft(
    session: Session, study_id: int, author: Author, opinion: Opinion, *, made_from: str | None = None
) -> PhysicianReading:
    """Make or change the author's draft of a study.

    Parameters
    ----------
    made_from
        `draft_version` of the draft that the author's page began with or saved last: another window of theirs may have
        saved since, and what stands there must not be lost unseen. None: not asked.

    Raises
    ------
    NotFoundError
        If there is no such study.
    UsageError
        If the diagnosis is none that may be chosen.
    ConflictError
        If the author has signed it already: then only an amendment is possible. If the draft is no longer the one that
        this was made from. Or if the opinion agrees with an answer that the model did not give.
    """
    study = _study(session, study_id)
    if _held(session, study_id, author) is not None:
        remedy = "Amend the signed reading instead."
        raise ConflictError(f"{author.name} has signed study {study_id} already", remedy=remedy)
    draft = find_draft(session, study_id, author)
    if made_from is not None and made_from != draft_version(draft):
        remedy = "Copy what you have written here, then load the page again to see the other."
        raise ConflictError("the draft was changed in another window meanwhile", remedy=remedy)
    fresh = draft is None
    if draft is None:
        draft = PhysicianReading(study_id=study_id, user_id=author.id)
        session.add(draft)
    _write(draft, study, opinion)
    session.flush()
    if fresh:  # one line a draft, not one a keystroke: autosave would drown the log
        audit.record(
            session, author.name, "draft", study_id=study_id, model_sha256=draft.model_sha256, reading=draft.id
        )
    return draft


def discard_draft(session: Session, study_id: int, author: Author) -> None:
    """Remove the author's draft.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    draft = find_draft(session, study_id, author)
    if draft is None:
        raise NotFoundError(f"{author.name} has no draft of study {study_id}")
    audit.record(session, author.name, "discard", study_id=study_id, reading=draft.id)
    session.delete(draft)


def sign(
    session: Session,
    study_id: int,
    author: Author,
    opinion: Opinion,
    *,
    seen_answer: str | None = None,
    seen: str | None = None,
    made_from: str | None = None,
) -> PhysicianReading:
    """Sign a reading: the author's draft if there is one, with these last values.

    Parameters
    ----------
    made_from
        As in `save_draft`.
    seen_answer
        The model's answer as the author's page showed it. A signature states agreement with it, so it is refused when
        it has changed since.
    seen
        `StudyView.seen` as the page showed it, likewise: an image or a site that came since was not before their eyes.

    Raises
    ------
    NotFoundError
        If there is no such study.
    UsageError
        If there is no diagnosis, or a grade of a site without images.
    ConflictError
        If images are still being read, the model's answer has changed, or the author has signed already.
    """
    study = _study(session, study_id)
    _check_signable(session, study, opinion, seen_answer, seen)
    reading = save_draft(session, study_id, author, opinion, made_from=made_from)
    return _seal(session, study, reading, author, "sign")


def amend(
    session: Session,
    signed_id: int,
    author: Author,
    opinion: Opinion,
    reason: str,
    *,
    seen_answer: str | None = None,
    seen: str | None = None,
) -> PhysicianReading:
    """Replace a signed reading by a new one that is signed at once; the old one stays.

    Raises
    ------
    NotFoundError
        If there is no such reading.
    ForbiddenError
        If another physician signed it.
    UsageError
        Without a reason or a diagnosis.
    ConflictError
        If it is a draft, or was amended already; else as `sign`.
    """
    old = session.get(PhysicianReading, signed_id)
    if old is None:
        raise NotFoundError(f"there is no reading {signed_id}")
    study = _study(session, old.study_id)
    if old.user_id != author.id:
        raise ForbiddenError("only its author may amend a reading", remedy="Sign a reading of your own.")
    if old.signed_at is None:
        raise ConflictError(f"reading {signed_id} is not signed", remedy="Change the draft.")
    if session.scalar(select(PhysicianReading.id).where(PhysicianReading.amends_id == signed_id)) is not None:
        raise ConflictError(f"reading {signed_id} was amended already", remedy="Amend the newest version.")
    if not reason.strip():
        raise UsageError("an amendment needs a reason", remedy="Say what was wrong or is new.")
    _check_signable(session, study, opinion, seen_answer, seen)
    new = PhysicianReading(study_id=study.id, user_id=author.id, amends_id=old.id, amend_reason=reason.strip())
    session.add(new)
    _write(new, study, opinion)
    return _seal(session, study, new, author, "amend", amends=old.id, reason=new.amend_reason)


def find_draft(session: Session, study_id: int, author: Author) -> PhysicianReading | None:
    """The author's unsigned reading of a study."""
    return session.scalar(
        select(PhysicianReading).where(
            PhysicianReading.study_id == study_id,
            PhysicianReading.user_id == author.id,
            PhysicianReading.signed_at.is_(None),
        )
    )


def draft_version(draft: PhysicianReading | None) -> str:
    """Names a state of a draft; ``""`` where there is none."""
    return "" if draft is None else draft.updated.astimezone(UTC).isoformat()


def diagnoses(classes: tuple[str, ...]) -> tuple[str, ...]:
    """What a physician may choose from: the model's classes, and the two that no model gives."""
    return (*classes, OTHER, NOT_ASSESSABLE)


def _held(session: Session, study_id: int, author: Author) -> PhysicianReading | None:
    return session.scalar(
        select(PhysicianReading)
        .where(
            PhysicianReading.study_id == study_id,
            PhysicianReading.user_id == author.id,
            PhysicianReading.signed_at.is_not(None),
        )
        .order_by(PhysicianReading.id.desc())
        .limit(1)
    )


def _study(session: Session, study_id: int) -> Study:
    # Locked, so that on PostgreSQL two tabs cannot make two drafts or amend one reading twice; SQLite has one writer.
    study = session.get(Study, study_id, with_for_update=True)
    if study is None:
        raise NotFoundError(f"there is no study {study_id}")
    return study


def _check_signable(
    session: Session, study: Study, opinion: Opinion, seen_answer: str | None, seen: str | None
) -> None:
    if not opinion.diagnosis:
        raise UsageError("a signed reading needs a diagnosis", remedy=f"Choose one, or {NOT_ASSESSABLE!r}.")
    if study.status == "receiving" or _unread(session, study):
        raise ConflictError("images of this study are still being read", remedy="Sign when they are done.")
    answer = _answer(study)
    if seen_answer is not None and seen_answer != answer:
        was, now = seen_answer or "nothing", answer or "nothing"
        remedy = "Look at the study again."
        raise ConflictError(f"the model's answer changed from {was} to {now} meanwhile", remedy=remedy)
    view = load_study(session, study.id)
    if seen is not None and seen != view.seen:
        raise ConflictError("images or sites of this study changed meanwhile", remedy="Look at the study again.")
    unseen = sorted(opinion.heckmatt.keys() - {site.code for site in view.sites if site.images})
    if unseen:
        remedy = "Grade muscles that were recorded; a wrong muscle or side is set right among the study's images."
        raise UsageError(f"Heckmatt grade without an image: {', '.join(unseen)}", remedy=remedy)


def _unread(session: Session, study: Study) -> bool:
    """Not by the study's status: what somebody has signed stays ``signed`` while late images are read."""
    waiting = select(StoredImage.id).where(StoredImage.study_id == study.id, StoredImage.status.in_(UNREAD))
    return session.scalar(waiting.limit(1)) is not None


def _write(reading: PhysicianReading, study: Study, opinion: Opinion) -> None:
    label = (study.result or {}).get("label")
    known = diagnoses(tuple((study.result or {}).get("probabilities") or DIAGNOSES))
    if opinion.diagnosis and opinion.diagnosis not in known:
        raise UsageError(f"no such diagnosis: {opinion.diagnosis!r}", remedy=f"One of {', '.join(known)}.")
    if opinion.agrees is True and (label is None or opinion.diagnosis != label):
        said = label or "no single diagnosis"
        raise ConflictError(f"the model answered {said}", remedy="Correct it rather than agree.")
    if opinion.agrees is False and label is not None and opinion.diagnosis == label:
        raise ConflictError(f"the model answered {label} too", remedy="Agree, or choose another diagnosis.")
    reading.agrees = opinion.agrees
    reading.diagnosis = opinion.diagnosis
    reading.heckmatt = dict(opinion.heckmatt)
    reading.notes = opinion.notes
    reading.model_answer = _answer(study)
    reading.model_sha256 = str((study.model or {}).get("sha256", ""))
    reading.updated = utc_now()


def _answer(study: Study) -> str:
    return str((study.result or {}).get("answer") or "")


def _seal(
    session: Session, study: Study, reading: PhysicianReading, author: Author, action: str, **detail: object
) -> PhysicianReading:
    reading.signed_at = reading.updated
    study.status = "signed"
    study.updated = reading.updated
    session.flush()
    audit.record(
        session,
        author.name,
        action,
        study_id=study.id,
        model_sha256=reading.model_sha256,
        reading=reading.id,
        diagnosis=reading.diagnosis,
        agrees=reading.agrees,
        model_answer=reading.model_answer,
        **detail,
    )
    events.publish(session, "signed", study.id)
    return reading
