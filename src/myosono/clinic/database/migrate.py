"""Bring a database to the newest schema, whichever of several processes comes first."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from myosono.clinic.database.engine import Database
from myosono.errors import ClinicError, UnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x6D796F73  # "myos": any number that nobody else on this server uses


def upgrade(database: Database) -> str:
    """Run all outstanding migrations in one transaction and return the revision that the database then has.

    Two processes that start at once take turns: SQLite by its write lock, PostgreSQL by an advisory lock. The second
    then finds nothing to do.

    Raises
    ------
    UnavailableError
        If the database does not answer.
    ClinicError
        If it was made by a newer version of the package.
    """
    config = configuration()
    try:
        with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return MigrationContext.configure(connection).get_current_revision() or ""
    except OperationalError as error:
        remedy = "Check that it runs, and its address, user and password."
        raise UnavailableError(f"the database does not answer: {error.orig}", remedy=remedy) from error
    except CommandError as error:
        remedy = "Install the version of myosono that made it, or a newer one."
        raise ClinicError(f"the database has a schema unknown to this version: {error}", remedy=remedy) from error


def revision_of(database: Database) -> str:
    """The revision that a database has; empty where it is none of ours.

    Raises
    ------
    UnavailableError
        If the database does not answer.
    """
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    except OperationalError as error:
        raise UnavailableError(f"the database does not answer: {error.orig}") from error


def newest_revision() -> str:
    """The revision that this version of the package brings."""
    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def configuration() -> Config:
    """Alembic's configuration, made here since the package ships no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
