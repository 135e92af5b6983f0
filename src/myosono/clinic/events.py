"""What changed, for live pages. Written to the database, so that it crosses from the DICOM node to the web."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from myosono.clinic.database.models import Event, utc_now

KEPT = timedelta(hours=1)
"""A page that was away for longer loads anew."""


def publish(session: Session, kind: str, study_id: int | None = None, **detail: Any) -> None:
    """Note a change, in the transaction that makes it.

    Parameters
    ----------
    kind
        ``study`` (new, or its state changed), ``image`` (one was read), ``signed``, ``outbox``.
    study_id
        Which study, None where it concerns none.
    detail
        Small JSON values; no names or findings of patients.
    """
    session.add(Event(kind=kind, study_id=study_id, detail=detail))


def latest(session: Session) -> int:
    """Number of the newest event, 0 if there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def since(session: Session, number: int, *, limit: int = 200) -> list[Event]:
    """Events after a number, oldest first."""
    return list(session.scalars(select(Event).where(Event.id > number).order_by(Event.id).limit(limit)))


def forget_old(session: Session) -> None:
    """Drop events that no page waits for any more. The newest stays, so that SQLite never gives its number again."""
    session.execute(delete(Event).where(Event.at < utc_now() - KEPT, Event.id < latest(session)))
