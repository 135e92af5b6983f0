"""API tokens: a program enters in a user's name, with that user's rights."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from myosono.clinic import audit
from myosono.clinic.accounts.sessions import new_token, token_hash
from myosono.clinic.database.models import ApiToken, User, utc_now
from myosono.errors import ClinicError, NotFoundError

PREFIX = "myo_"
"""So that a token which leaked into a file can be found by a search."""

_USE_NOTED_EVERY = timedelta(minutes=1)


def create_token(session: Session, user: User, name: str) -> str:
    """Make a token and return it: it is shown once, and only its hash is kept.

    Raises
    ------
    ClinicError
        If the name is empty or too long.
    """
    name = name.strip()
    if not 0 < len(name) <= 100:
        raise ClinicError("a token needs a name of 1 to 100 characters, such as the program that will use it")
    token = PREFIX + new_token()
    session.add(ApiToken(user_id=user.id, name=name, token_hash=token_hash(token)))
    audit.record(session, user.name, "token-created", name=name)
    return token


def find_token(session: Session, token: str) -> ApiToken | None:
    """The token's row; None if there is none, it is revoked, or its user is disabled."""
    if not token.startswith(PREFIX):
        return None
    row = session.scalar(select(ApiToken).where(ApiToken.token_hash == token_hash(token)))
    if row is None or row.revoked is not None or row.user.disabled:
        return None
    return row


def is_use_due(row: ApiToken) -> bool:
    """Whether `note_use` should be called: not at every request, since each is a write."""
    return row.last_used is None or utc_now() - row.last_used > _USE_NOTED_EVERY


def note_use(session: Session, token_id: int) -> None:
    """Write down that a token was used now."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used=utc_now()))


def list_tokens(session: Session, user_id: int) -> list[ApiToken]:
    """A user's tokens that are not revoked, newest first."""
    mine = select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    return list(session.scalars(mine.order_by(ApiToken.id.desc())))


def revoke_token(session: Session, user: User, token_id: int) -> None:
    """End a token of a user.

    Raises
    ------
    NotFoundError
        If the user has no such token.
    """
    row = session.get(ApiToken, token_id)
    if row is None or row.user_id != user.id or row.revoked is not None:
        raise NotFoundError(f"no token {token_id}")
    row.revoked = utc_now()
    audit.record(session, user.name, "token-revoked", name=row.name)


def revoke_all_tokens(session: Session, user_id: int) -> None:
    """End all tokens of a user."""
    mine = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked.is_(None))
    session.execute(mine.values(revoked=utc_now()))
