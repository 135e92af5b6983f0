"""A private PostgreSQL server for tests, where Debian's ``postgresql`` is installed: a cluster of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server; gives the URL of its first database, for `fresh_database`."""
    pytest.importorskip("psycopg", reason="the extra 'postgresql' is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="myosono-pg-"))
    if os.geteuid() == 0:  # initdb refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("root cannot run PostgreSQL, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = [*as_user, str(programs / "initdb"), "-D", str(folder / "data"), "-U", "clinic", "-A", "trust", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    options = ["-c", "fsync=off", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(
        [*as_user, str(programs / "postgres"), "-D", str(folder / "data"), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        _wait(port)
        yield f"postgresql+psycopg://clinic@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(server: str, name: str) -> str:
    """Make an empty database on a server and return its URL."""
    from sqlalchemy import create_engine, text

    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server.rsplit('/', 1)[0]}/{name}"


def _wait(port: int) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    engine = create_engine(f"postgresql+psycopg://clinic@127.0.0.1:{port}/postgres")
    for _ in range(100):
        try:
            engine.connect().close()
            break
        except OperationalError:
            time.sleep(0.1)
    else:
        raise TimeoutError("PostgreSQL did not start within ten seconds")
    engine.dispose()
