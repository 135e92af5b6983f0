"""What the tests of the clinic share: settings below ``tmp_path``, a database, muscle-like images, a study reader."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("sqlalchemy", reason="the extra 'clinic' is not installed")

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.files.intake import Accepted, Origin, accept
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.clinic.work.reader import StudyReader, open_reader
from myosono.clinic.work.worker import Worker

from .postgresql import fresh_database, running_server


@pytest.fixture
def settings(tmp_path: Path) -> ClinicSettings:
    """Settings of an empty data folder; no floor of free disk space, so that a full machine runs the tests."""
    return ClinicSettings(data=tmp_path / "clinic", uploads=UploadLimits(free_bytes=0))


@pytest.fixture
def database(settings: ClinicSettings) -> Iterator[Database]:
    """An empty database as an installation has it, triggers included."""
    opened = Database(settings)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def store(settings: ClinicSettings) -> FileStore:
    return FileStore(settings)


@pytest.fixture(scope="session")
def study_reader() -> StudyReader:
    """The model and the region network that ship with the package."""
    return open_reader(ClinicSettings())


@pytest.fixture
def worker(settings: ClinicSettings, database: Database, study_reader: StudyReader) -> Worker:
    """A worker in this process; ``run_once`` reads one image."""
    return Worker(settings, database=database, reader=study_reader)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """``clock("CST-8")``: the computer stands in that time zone (a POSIX rule, so that no zone file is needed)."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot be moved to another zone")

    def set_zone(rule: str) -> None:
        monkeypatch.setenv("TZ", rule)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


_SIMULATED = Path(__file__).parents[1] / "base_install" / "simulated.png"


def muscle_png(seed: int = 0) -> bytes:
    """A simulated muscle image that the gate lets pass; each seed has other bytes and another brightness."""
    pixels = np.asarray(Image.open(_SIMULATED))[50:350].copy()
    scaled = (pixels * (1 - 0.01 * (seed % 20))).astype(np.uint8)
    scaled[-1, :4] = np.frombuffer(seed.to_bytes(4, "little"), np.uint8)
    return _png(scaled)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def make_muscle() -> Callable[..., bytes]:
    """`muscle_png`."""
    return muscle_png


@pytest.fixture
def take(database: Database, store: FileStore) -> Callable[..., Accepted]:
    """``take(data, name, **origin)``: accept one file, committed. The study is ``1.2.3`` unless told otherwise."""

    def accepted(data: bytes, name: str = "P001_RD_1.png", **origin: object) -> Accepted:
        given = {"source": "upload", "sender": "tester", "study_uid": "1.2.3", **origin}
        with database.session() as session:
            return accept(session, store, data, Origin(name=name, **given))  # type: ignore[arg-type]

    return accepted


@pytest.fixture
def postgresql_database(postgresql_url: str, tmp_path: Path) -> Iterator[Database]:
    """Opened and migrated, on a PostgreSQL server."""
    opened = Database(ClinicSettings(data=tmp_path, database_url=postgresql_url))
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a private PostgreSQL server; skips where none is installed."""
    with running_server() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """URL of an empty PostgreSQL database."""
    return fresh_database(postgresql_server, f"clinic_{uuid.uuid4().hex}")
