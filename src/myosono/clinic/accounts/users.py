"""Users: made, changed, disabled, never deleted, since the log and the readings refer to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myosono.clinic import audit
from myosono.clinic.accounts.passwords import check_rules, hash_password, is_outdated, verify_password
from myosono.clinic.accounts.sessions import close_all_sessions
from myosono.clinic.accounts.tokens import revoke_all_tokens
from myosono.clinic.database.models import User
from myosono.errors import ClinicError, ConflictError, ForbiddenError, NotFoundError

Role = Literal["reader", "admin"]
ROLES: tuple[Role, ...] = ("reader", "admin")
LOCAL_USER = "local"
"""Who reads and signs where the clinic runs without accounts. It has no password, so that nobody logs in as it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,99}")
_HASHED = "$argon2"
"""How the hash of a password begins; others belong to nobody who could sign in."""

_SETUP_LOCK = 0x73657475  # "setu"
_ADMIN_LOCK = 0x61646D69  # "admi"


@dataclass(frozen=True)
class CurrentUser:
    """Who is at the other end of a request.

    Attributes
    ----------
    role
        ``reader`` or ``admin``.
    by_token
        True for a program with an API token.
    """

    id: int
    name: str
    role: Role
    full_name: str = ""
    language: str | None = None
    by_token: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether users, the log and settings may be seen and changed."""
        return self.role == "admin"


def as_current(user: User, *, by_token: bool = False) -> CurrentUser:
    """The facts of a user that a request needs."""
    return CurrentUser(user.id, user.name, cast(Role, user.role), user.full_name, user.language, by_token)


def create_user(
    session: Session, name: str, password: str, *, role: str = "reader", full_name: str = "", by: str = "system"
) -> User:
    """Add a user.

    Parameters
    ----------
    name
        2 to 100 of ``A-Z a-z 0-9 . _ @ -``; kept in lower case.
    by
        Who adds it, for the audit log.

    Raises
    ------
    ClinicError
        If name, role or password are not acceptable.
    ConflictError
        If the name is taken.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise ClinicError("a user name has 2 to 100 letters, digits, or . _ @ - and begins with a letter or digit")
    if name in (LOCAL_USER, "system"):
        raise ClinicError(f"the user name {name} is reserved")
    _check_role(role)
    if len(full_name) > 200:
        raise ClinicError("the full name is too long: 200 characters at most")
    check_rules(password, name)
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise ConflictError(f"the user name {name} is taken")
    user = User(name=name, full_name=full_name.strip(), password_hash=hash_password(password), role=role)
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:  # another transaction was faster
        raise ConflictError(f"the user name {name} is taken") from error
    audit.record(session, by, "user-created", name=name, role=role)
    return user


def create_first_admin(session: Session, name: str, password: str, *, full_name: str = "") -> User:
    """Make the first user, an admin, if there is none.

    Raises
    ------
    ConflictError
        If somebody was faster.
    """
    _take_turns(session, _SETUP_LOCK)
    if has_users(session):
        raise ConflictError("the clinic has been set up already", remedy="Log in, or ask its administrator.")
    return create_user(session, name, password, role="admin", full_name=full_name, by="setup")


def has_users(session: Session) -> bool:
    """Whether anyone can log in: users without a password, such as the local one, do not count."""
    return session.scalar(select(User.id).where(User.password_hash.startswith(_HASHED)).limit(1)) is not None


def local_user(session: Session) -> User:
    """The user of a clinic without accounts, made when first asked for."""
    user = session.scalar(select(User).where(User.name == LOCAL_USER))
    if user is None:
        user = User(name=LOCAL_USER, full_name="", password_hash="", role="admin")
        session.add(user)
        session.flush()
    return user


def find_user(session: Session, name: str) -> User | None:
    """The user of a name, in whichever case it was typed."""
    return session.scalar(select(User).where(User.name == name.strip().lower()))


def get_user(session: Session, user_id: int) -> User:
    """The user of a number.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError(f"no user {user_id}")
    return user


def list_users(session: Session) -> list[User]:
    """All who have or had a password, by name."""
    return list(session.scalars(select(User).where(User.password_hash.startswith(_HASHED)).order_by(User.name)))


def check_password(user_hash: str | None, password: str) -> bool:
    """Whether the password fits; None, for a name that nobody has, takes as long and never fits."""
    return verify_password(user_hash or "", password)


def refresh_hash(user: User, password: str) -> None:
    """Hash the password anew, at a login, where the stored hash is weaker than today's."""
    if is_outdated(user.password_hash):
        user.password_hash = hash_password(password)


def set_password(session: Session, user: User, password: str, *, by: str) -> None:
    """Change a password, log the user out everywhere, and revoke the user's API tokens: one may be what leaked.

    Raises
    ------
    ClinicError
        If the password is not acceptable.
    """
    check_rules(password, user.name)
    user.password_hash = hash_password(password)
    close_all_sessions(session, user.id)
    revoke_all_tokens(session, user.id)
    audit.record(session, by, "password-changed", name=user.name)


def set_role(session: Session, user: User, role: str, *, by: str) -> None:
    """Make a reader an admin, or the reverse.

    Raises
    ------
    ClinicError
        If there is no such role.
    ForbiddenError
        If no admin would be left.
    """
    _check_role(role)
    if user.role == role:
        return
    if role != "admin":
        _keep_an_admin(session, user)
    user.role = role
    audit.record(session, by, "role-changed", name=user.name, role=role)


def set_disabled(session: Session, user: User, disabled: bool, *, by: str) -> None:
    """Keep a user out, or let it in again. Its sessions end and its tokens are revoked.

    Raises
    ------
    ForbiddenError
        If no admin would be left.
    """
    if user.disabled == disabled:
        return
    if disabled:
        _keep_an_admin(session, user)
        close_all_sessions(session, user.id)
        revoke_all_tokens(session, user.id)
    user.disabled = disabled
    audit.record(session, by, "user-disabled" if disabled else "user-enabled", name=user.name)


def _keep_an_admin(session: Session, user: User) -> None:
    """Until the transaction ends nobody else may take an administrator away: two could take each other's last one."""
    _take_turns(session, _ADMIN_LOCK)
    session.refresh(user)  # it may have been made an administrator while we waited
    others = select(func.count()).where(
        User.role == "admin", User.disabled.is_(False), User.password_hash.startswith(_HASHED), User.id != user.id
    )
    if user.role == "admin" and not session.scalar(others):
        raise ForbiddenError("the clinic would have no administrator left", remedy="Make another user one first.")


def _take_turns(session: Session, key: int) -> None:
    """On SQLite the write lock does the same."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ClinicError(f"no role {role!r}", remedy=f"Use one of: {', '.join(ROLES)}.")
