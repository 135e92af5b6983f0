"""The node on PostgreSQL, where writers do not take turns by themselves as they do on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import func, select

from myosono.clinic.audit import check_chain
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry, OutboxItem, StoredImage, Study
from myosono.clinic.network.rules import Rules
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.sender import Sender
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer, SendRule

from .archive import Archive, enqueue, item, with_peer
from .conftest import make_settings, muscle_dicom
from .test_rules import add_study, apply


@pytest.fixture
def settings(tmp_path: Path, postgresql_url: str) -> ClinicSettings:
    made = make_settings(tmp_path / "clinic", max_associations=20, timeout_seconds=20.0)
    return made.model_copy(update={"database_url": postgresql_url})


def together(count: int, work: Callable[[int], None]) -> None:
    """Run a function in threads that start at once."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_senders_at_once_make_one_study_and_one_chain(
    settings: ClinicSettings, database: Database, scp: StorageScp, tmp_path: Path
) -> None:
    study = generate_uid()
    files = [muscle_dicom(tmp_path / f"{number}.dcm", study, number) for number in range(24)]
    peer = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    problems: list[str | None] = []
    together(8, lambda number: problems.extend(one.error for one in store(settings, peer, files[number::8])))
    assert problems == [None] * 24
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(StoredImage)) == 24
        assert session.scalar(select(func.count()).select_from(Study)) == 1
        assert check_chain(session) == 24


def test_processes_that_apply_the_same_rule_enter_it_once(settings: ClinicSettings, database: Database) -> None:
    ruled = settings.model_copy(
        update={
            "pacs": settings.pacs.model_copy(
                update={"peers": (Peer(name="pacs"),), "rules": (SendRule(to="pacs", objects=("sr", "pdf")),)}
            )
        }
    )
    for _ in range(3):
        add_study(database)
    together(6, lambda _: [apply(Rules(ruled), database) for _ in range(2)] and None)
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(OutboxItem)) == 6


def test_senders_that_run_at_once_send_each_item_once(
    settings: ClinicSettings, database: Database, scp: StorageScp, tmp_path: Path,
    start_archive: Callable[..., Archive],
) -> None:  # fmt: skip
    archive = start_archive()
    peer = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    list(store(settings, peer, [muscle_dicom(tmp_path / "1.dcm", generate_uid(), 1)]))
    with database.session(writes=False) as session:
        study_id = session.scalars(select(StoredImage.study_id)).one()
    numbers = [enqueue(database, study_id) for _ in range(12)]
    to_archive = with_peer(settings, archive.port)
    together(4, lambda _: Sender(to_archive, database).run_once() and None)
    assert {item(database, number).status for number in numbers} == {"sent"}
    assert {item(database, number).attempts for number in numbers} == {1}
    assert len(archive.kept) == 12
    with database.session(writes=False) as session:
        sent = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "send")
        assert session.scalar(sent) == 12
