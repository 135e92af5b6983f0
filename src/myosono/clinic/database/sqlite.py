"""How SQLite is opened: many readers beside one writer, commits that last, and never a new file in place of a lost one.

SQLite makes a file that is not there, and a connection goes on writing to one that was deleted. Either would let a
clinic lose what it had acknowledged, so each connection knows its file, and every use of it looks whether it is there.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DisconnectionError

BUSY_SECONDS = 30.0
"""How long a statement waits for another's lock."""

_BUSY_PAUSE = 0.02


def is_in_memory(url: URL) -> bool:
    """Whether a SQLite URL names no file."""
    return url.database in (None, "", ":memory:")


def prepare_sqlite(engine: Engine) -> None:
    """Set up every connection that the engine opens, and guard the file once the first one has made or found it.

    Parameters
    ----------
    engine
        Of a SQLite file or of a database in memory. When its file vanishes, its connections are refused
        (``sqlite3.OperationalError``) until the file is back.
    """
    event.listen(engine, "connect", _open)
    event.listen(engine, "begin", _begin)
    if not is_in_memory(engine.url):
        _guard(engine, Path(str(engine.url.database)))


def _guard(engine: Engine, file: Path) -> None:
    seen = False

    def refuse_to_make_anew(*_: Any) -> None:
        if seen and not file.exists():
            raise sqlite3.OperationalError(f"the file {file} was there and is gone; put it back")

    def remember(_connection: Any, record: Any) -> None:
        nonlocal seen
        record.info["file"] = _identity(file)
        seen = seen or record.info["file"] is not None  # a URL in SQLite's own "file:" form names no path to look at

    def still_the_same(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _identity(file):
            raise DisconnectionError(f"{file} is not the file that this connection opened")

    event.listen(engine, "do_connect", refuse_to_make_anew)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", still_the_same)


def _identity(file: Path) -> tuple[int, int] | None:
    """Device and inode: another file under the same name is another file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open(connection: Any, _record: Any) -> None:
    """Readers beside one writer (WAL), commits that survive a power cut (synchronous FULL), references that hold, and
    lower case in every script."""
    connection.isolation_level = None  # SQLAlchemy's own BEGIN, below, instead of the driver's late one
    # SQLite's own knows A to Z only: "müller" would not find MÜLLER, as scanners write it, and PostgreSQL does.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Turn on write-ahead logging, waiting for others who open the same new file at this moment.

    The change wants the file alone, and SQLite answers "locked" at once instead of waiting its busy time for that.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_BUSY_PAUSE)


def _begin(connection: Any) -> None:
    """Take the write lock at the start where the caller says so: a late upgrade fails at once under load."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
