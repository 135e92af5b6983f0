"""Login sessions: an opaque random token in a cookie, of which only the hash is kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from myosono.clinic.database.models import LoginSession, User, utc_now
from myosono.hashing import sha256_bytes

_BYTES = 32


@dataclass(frozen=True)
class OpenSession:
    """A session just opened: what the browser gets. The token is known here and never again."""

    token: str
    csrf: str


@dataclass(frozen=True)
class FoundSession:
    """A session that still holds."""

    id: int
    user: User
    csrf: str


def new_token() -> str:
    """A random text that cannot be guessed: 256 bits."""
    return secrets.token_urlsafe(_BYTES)


def token_hash(token: str) -> str:
    """What is kept of a token. No salt is needed: tokens are random, unlike passwords."""
    return sha256_bytes(token.encode())


def open_session(session: Session, user: User, *, hours: float) -> OpenSession:
    """Open a login session for a user whose password fitted, and drop those that have expired."""
    session.execute(delete(LoginSession).where(LoginSession.expires < utc_now()))
    opened = OpenSession(new_token(), new_token())
    session.add(
        LoginSession(
            user_id=user.id,
            token_hash=token_hash(opened.token),
            csrf_token=opened.csrf,
            expires=utc_now() + timedelta(hours=hours),
        )
    )
    session.flush()
    return opened


def find_session(session: Session, token: str) -> FoundSession | None:
    """The session of a token; None if there is none, it has expired, or its user is disabled."""
    row = session.scalar(select(LoginSession).where(LoginSession.token_hash == token_hash(token)))
    if row is None or row.expires <= utc_now() or row.user.disabled:
        return None
    return FoundSession(row.id, row.user, row.csrf_token)


def close_session(session: Session, token: str) -> None:
    """End the session of a token."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == token_hash(token)))


def close_all_sessions(session: Session, user_id: int, *, but: str | None = None) -> int:
    """End all sessions of a user, but that of a token, and return how many."""
    ends = delete(LoginSession).where(LoginSession.user_id == user_id)
    if but is not None:
        ends = ends.where(LoginSession.token_hash != token_hash(but))
    return len(session.execute(ends.returning(LoginSession.id)).all())
