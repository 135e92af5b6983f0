from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from myosono.clinic import audit
from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.settings import ClinicSettings
from myosono.errors import ClinicError

LINES = 12


def test_each_line_follows_the_one_before(database: Database) -> None:
    with database.session() as session:
        first = audit.record(session, "anna", "login", address="::1")
        second = audit.record(session, "anna", "view", study_id=3, model_sha256="ab", grade=2.5, names=["李", "é"])
    assert first.previous == audit.GENESIS
    assert second.previous == first.hash
    with database.session(writes=False) as session:
        assert audit.check_chain(session) == 2
        assert audit.check_chain(session, known=first.hash) == 2
        assert audit.head(session) == second.hash
        with pytest.raises(ClinicError, match="no longer has"):
            audit.check_chain(session, known="0" * 63 + "1")


def test_an_empty_log_is_whole(database: Database) -> None:
    with database.session(writes=False) as session:
        assert audit.check_chain(session) == 0
        assert audit.head(session) == audit.GENESIS


def test_what_is_rolled_back_leaves_no_line(database: Database) -> None:
    with database.session() as session:
        audit.record(session, "anna", "sign")
        session.rollback()
    with database.session() as session:
        assert audit.record(session, "anna", "login").previous == audit.GENESIS


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_log SET \"user\" = 'eve' WHERE id = 3",
        "UPDATE audit_log SET at = '2020-01-01 00:00:00.000000' WHERE id = 3",
        "UPDATE audit_log SET detail = '{\"n\": 7}' WHERE id = 3",
        "UPDATE audit_log SET study_id = 9 WHERE id = 3",
        "UPDATE audit_log SET model_sha256 = 'x' WHERE id = 3",
        "UPDATE audit_log SET id = 99 WHERE id = 3",
        "DELETE FROM audit_log WHERE id = 2",
        "DELETE FROM audit_log WHERE id = 1",
    ],
)
def test_a_change_behind_the_triggers_is_found(database: Database, change: str) -> None:
    with database.session() as session:
        for n in range(5):
            audit.record(session, "anna", "view", n=n)
        for trigger in ("audit_log_update", "audit_log_delete"):
            session.execute(text(f"DROP TRIGGER {trigger}"))
        session.execute(text(change))
    with database.session(writes=False) as session, pytest.raises(ClinicError, match="was changed at line"):
        audit.check_chain(session)


def test_a_tail_cut_off_is_found_by_a_noted_hash(database: Database) -> None:
    with database.session() as session:
        noted = [audit.record(session, "anna", "view", n=n).hash for n in range(3)][-1]
        session.execute(text("DROP TRIGGER audit_log_delete"))
        session.execute(text("DELETE FROM audit_log WHERE id = 3"))
        assert audit.check_chain(session) == 2  # the chain alone cannot tell
        with pytest.raises(ClinicError, match="no longer has"):
            audit.check_chain(session, known=noted)


def test_the_hash_has_not_changed_between_versions(database: Database) -> None:
    with database.session() as session:
        entry = audit.record(session, "anna", "view", study_id=3, model_sha256="ab", b=1, a="é")
        entry.at = datetime(2026, 3, 9, 14, 5, 6, 7, tzinfo=UTC)
        said = audit.entry_hash(entry)
        session.rollback()
    # Spelt out, not computed by the same code: a log of last year must still be whole next year.
    line = '["2026-03-09T14:05:06.000007+00:00", "anna", "view", 3, {"a": "\\u00e9", "b": 1}, "ab", "' + "0" * 64 + '"]'
    assert said == hashlib.sha256(line.encode()).hexdigest()


def record_many(database: Database) -> None:
    together = threading.Barrier(4)

    def work(worker: int) -> None:
        together.wait()
        for n in range(LINES):
            with database.session() as session:
                audit.record(session, f"worker{worker}", "view", n=n)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    with database.session(writes=False) as session:
        assert audit.check_chain(session) == 4 * LINES


def test_transactions_at_once_do_not_fork_the_chain(database: Database) -> None:
    record_many(database)


def test_nor_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    database = Database(ClinicSettings(data=tmp_path, database_url=postgresql_url))
    upgrade(database)
    record_many(database)
    with database.session() as session:
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        session.execute(text("UPDATE audit_log SET action = 'login' WHERE id = 7"))
    with database.session() as session, pytest.raises(ClinicError, match="line 7"):
        audit.check_chain(session)
    database.close()
