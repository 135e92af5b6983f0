"""Logging in, with a brake on guessing that works across processes and never locks anyone out for good.

Failures are counted in the database, by name and address together, by name, and by address. Above what a forgetful
person needs, each failure doubles the wait before the next attempt is looked at, up to `LONGEST_WAIT`. An attempt
during the wait is refused without counting, so that waiting always helps; a user at another address than the one that
guesses is slowed down only by very many failures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, text
from sqlalchemy.orm import Session

from myosono.clinic import audit
from myosono.clinic.accounts.sessions import OpenSession, open_session
from myosono.clinic.accounts.users import check_password, find_user, get_user, refresh_hash
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import LoginAttempt, User, utc_now
from myosono.errors import ClinicError

FREE_BY_BOTH, FREE_BY_NAME, FREE_BY_ADDRESS = 5, 20, 50
"""Failures within the window that cost no wait."""

LONGEST_WAIT = timedelta(minutes=5)
_WINDOW = timedelta(minutes=30)
_LOGIN_LOCK = 0x6C6F6769  # "logi"


class TooManyAttemptsError(ClinicError):
    """Too many failed logins; ``wait_seconds`` until the next is looked at (HTTP 429)."""

    def __init__(self, wait_seconds: int) -> None:
        self.wait_seconds = wait_seconds
        super().__init__("too many failed logins", remedy=f"Try again in {wait_seconds} seconds.")

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.wait_seconds,))


class WrongPasswordError(ClinicError):
    """Name or password do not fit, or the user is disabled: which of them is not said (HTTP 401)."""

    def __init__(self) -> None:
        super().__init__("the user name or the password is wrong")

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), ())


@dataclass(frozen=True)
class Login:
    """A login that succeeded."""

    user: User
    session: OpenSession


def log_in(database: Database, name: str, password: str, *, address: str, hours: float) -> Login:
    """Check name and password and open a session.

    Raises
    ------
    TooManyAttemptsError
        If one must wait first.
    WrongPasswordError
        If they do not fit.
    """
    fitting = verify_user(database, name, password, address=address)
    with database.session() as session:
        user = get_user(session, fitting.id)
        if user.disabled or user.password_hash != fitting.password_hash:  # changed a moment ago
            raise WrongPasswordError
        refresh_hash(user, password)
        opened = open_session(session, user, hours=hours)
        audit.record(session, user.name, "login", address=address)
    return Login(user, opened)


def verify_user(database: Database, name: str, password: str, *, address: str) -> User:
    """The user whose name and password these are, under the brake on guessing.

    The attempt is written down as a failure before the password is looked at and taken back if it fits, so that many
    attempts at once cannot slip through between counting and writing.

    Raises
    ------
    TooManyAttemptsError
        If one must wait first.
    WrongPasswordError
        If they do not fit.
    """
    name, address = name.strip().lower()[:100], address[:64]
    with database.session() as session:
        _begin_attempt(session, name, address)
        user = find_user(session, name)
    known = None if user is None or user.disabled else user.password_hash
    # Outside of any transaction: hashing takes long on purpose, and must not keep other writers waiting.
    fits = check_password(known, password)
    with database.session() as session:
        if fits and user is not None:
            session.execute(delete(LoginAttempt).where(_from(name, address)))
            return user
        # The name of an unknown user is not kept: people type their password into the wrong field.
        audit.record(session, user.name if user else "system", "login-failed", address=address)
    raise WrongPasswordError


def _begin_attempt(session: Session, name: str, address: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOGIN_LOCK})
    now = utc_now()
    session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - _WINDOW))
    until = max(
        _next_attempt(session, _from(name, address), FREE_BY_BOTH, now),
        _next_attempt(session, LoginAttempt.name == name, FREE_BY_NAME, now),
        _next_attempt(session, LoginAttempt.address == address, FREE_BY_ADDRESS, now),
    )
    if until > now:
        raise TooManyAttemptsError(max(1, round((until - now).total_seconds())))
    session.add(LoginAttempt(name=name, address=address, at=now))


def _from(name: str, address: str) -> ColumnElement[bool]:
    return and_(LoginAttempt.name == name, LoginAttempt.address == address)


def _next_attempt(session: Session, which: ColumnElement[bool], free: int, now: datetime) -> datetime:
    """When the next attempt may be made: two seconds after the first failure that is not free, then four, eight ..."""
    count, last = session.execute(select(func.count(), func.max(LoginAttempt.at)).where(which)).one()
    if count < free or last is None:
        return now
    wait = min(LONGEST_WAIT.total_seconds(), 2.0 ** min(count - free + 1, 30))
    return last + timedelta(seconds=wait)
