"""The engine: one place that knows how each database wants to be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from myosono.clinic.database.sqlite import BUSY_SECONDS, is_in_memory, prepare_sqlite
from myosono.clinic.settings import ClinicSettings
from myosono.errors import ClinicError, MissingExtraError, UnavailableError


class Database:
    """An opened database; make sessions with `session`.

    Parameters
    ----------
    settings
        Whose ``url`` is opened. The folder of a SQLite file is made.

    Raises
    ------
    ClinicError
        If the URL is not one, or the SQLite file is missing where its clinic's images are.
    MissingExtraError
        If the driver is not installed.
    """

    def __init__(self, settings: ClinicSettings) -> None:
        self.settings = settings
        self.engine = _engine(settings)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def session(self, *, writes: bool = True) -> Iterator[Session]:
        """A session that commits at the end, and rolls back if something is raised.

        Parameters
        ----------
        writes
            False for pages that only read: on SQLite they then do not wait for a writer.

        Raises
        ------
        UnavailableError
            If the database is gone.
        """
        try:
            with self._sessions.begin() as session:
                session.connection(execution_options={"writes": writes})
                yield session
        except OperationalError as error:
            remedy = "Work goes on when it answers again; nothing that was acknowledged is lost."
            raise UnavailableError(f"the database does not answer: {error.orig}", remedy=remedy) from error
        except PoolTimeout as error:
            raise UnavailableError("the database is busy", remedy="Try again in a moment.") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(settings: ClinicSettings) -> Engine:
    """Parameters are hidden, since they are patients' names and numbers and errors are written into logs."""
    try:
        url = make_url(settings.url)
        if url.get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
        _refuse_lost(settings, url)
        settings.data.mkdir(parents=True, exist_ok=True)
        connect = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        pool = {} if is_in_memory(url) else {"pool_size": 20, "max_overflow": 30}
        engine = create_engine(url, connect_args=connect, hide_parameters=True, **pool)
    except (ArgumentError, NoSuchModuleError) as error:
        remedy = "Use sqlite:///path or postgresql+psycopg://user:password@host/name."
        raise ClinicError(f"not a database URL: {error}", remedy=remedy) from error
    except ModuleNotFoundError as error:
        remedy = "pip install 'myosono[postgresql]'"
        raise MissingExtraError(f"the database driver {error.name} is not installed", remedy=remedy) from error
    prepare_sqlite(engine)
    return engine


def _refuse_lost(settings: ClinicSettings, url: URL) -> None:
    """Never begin an empty clinic beside the images of one: its readings and its log would be forgotten unnoticed."""
    name = str(url.database)
    if is_in_memory(url) or name.startswith("file:") or settings.is_demo or Path(name).exists():
        return
    if any(path.is_file() for path in settings.files.glob("*/*")):
        raise ClinicError(
            f"the database is missing, and {settings.files} holds the images of a clinic",
            path=Path(name),
            remedy="Restore it from the backup (docs/serve.md), or move the folder away to begin an empty clinic.",
        )
