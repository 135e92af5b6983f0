"""`myosono users`: accounts of the reading room, from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from myosono.cli.output import console
from myosono.cli.serve import require_existing
from myosono.errors import NotFoundError, UsageError
from myosono.extras import require_clinic

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from myosono.clinic.database.models import User

users_app = typer.Typer(help="Accounts of the reading room.", no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="User name.")]
Data = Annotated[Path | None, typer.Option(help="The clinic's folder; default: clinic.")]
Url = Annotated[str | None, typer.Option(envvar="MYOSONO_DATABASE_URL", help="Where the clinic uses PostgreSQL.")]

_BY = "command line"


@users_app.command("add")
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="reader or admin.")] = "reader",
    full_name: Annotated[str, typer.Option(help="As it stands under signed readings.")] = "",
    data: Data = None,
    database_url: Url = None,
) -> None:
    """Add a user, where there is no clinic yet its first. The password is asked for, or read from standard input."""
    secret = _password()
    with _session(data, database_url, new=True) as session:
        from myosono.clinic.accounts.users import create_user, list_users

        if role != "admin" and not any(one.role == "admin" for one in list_users(session)):
            raise UsageError("a clinic's first user is its administrator", remedy="Add one with --role admin first.")
        user = create_user(session, name, secret, role=role, full_name=full_name, by=_BY)
        added = user.name
    console().print(f"{added} may sign in as {role}.")


@users_app.command("list")
def list_all(data: Data = None, database_url: Url = None) -> None:
    """List all users."""
    from rich.table import Table

    with _session(data, database_url) as session:
        from myosono.clinic.accounts.users import list_users

        table = Table()
        for heading in ("name", "full name", "role", "status", "added"):
            table.add_column(heading)
        for user in list_users(session):
            status = "disabled" if user.disabled else "active"
            table.add_row(user.name, user.full_name, user.role, status, f"{user.created:%Y-%m-%d}")
    console().print(table)


@users_app.command("disable")
def disable(name: Name, data: Data = None, database_url: Url = None) -> None:
    """Keep a user out: sessions end, API tokens are revoked."""
    _set_disabled(name, True, data, database_url)


@users_app.command("enable")
def enable(name: Name, data: Data = None, database_url: Url = None) -> None:
    """Let a user in again."""
    _set_disabled(name, False, data, database_url)


@users_app.command("password")
def password(name: Name, data: Data = None, database_url: Url = None) -> None:
    """Set a new password, for whoever has forgotten it: sessions end, API tokens are revoked.

    Asked for, or read from standard input.
    """
    secret = _password()
    with _session(data, database_url) as session:
        from myosono.clinic.accounts.users import set_password

        set_password(session, _find(session, name), secret, by=_BY)
    said = f"The password of {name} was changed; sessions have ended and API tokens are revoked."
    console().print(said, soft_wrap=True)


def _set_disabled(name: str, disabled: bool, data: Path | None, database_url: str | None) -> None:
    with _session(data, database_url) as session:
        from myosono.clinic.accounts.users import set_disabled

        set_disabled(session, _find(session, name), disabled, by=_BY)
    console().print(f"{name} is {'disabled' if disabled else 'active'}.")


def _find(session: Session, name: str) -> User:
    from myosono.clinic.accounts.users import find_user, list_users

    user = find_user(session, name)
    if user is None or user not in list_users(session):
        raise NotFoundError(f"no user {name}", remedy="myosono users list shows all.")
    return user


def _password() -> str:
    """Asked for before the database is opened: a prompt must not hold its write lock."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@contextmanager
def _session(data: Path | None, database_url: str | None, *, new: bool = False) -> Iterator[Session]:
    """A session of the clinic in a folder; ``new``: of a clinic that is made if it is not there."""
    require_clinic("users")
    from myosono.clinic.database.engine import Database
    from myosono.clinic.database.migrate import upgrade
    from myosono.clinic.settings import DEFAULT_DATA, load_settings

    settings = load_settings(data or DEFAULT_DATA, database_url=database_url)
    begins = not settings.has_database
    if not new:
        require_existing(settings)
    database = Database(settings)
    try:
        upgrade(database)
        if begins:  # said, so that a mistyped folder is seen
            console().print(f"A new clinic begins in {settings.data.resolve()}.", soft_wrap=True)
        with database.session() as session:
            yield session
    finally:
        database.close()
