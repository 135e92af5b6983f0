"""What the database itself refuses, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from myosono.clinic import audit
from myosono.clinic.accounts.users import create_user
from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import PhysicianReading, Study, utc_now


@pytest.fixture
def filled(bare: Database) -> Iterator[Database]:
    """A signed reading (1), a draft (2) and some log."""
    upgrade(bare)
    with bare.session() as session:
        user = create_user(session, "anna", "several unrelated words")
        study = Study(study_uid="1.2", source="demo", sender="", patient_id="p")
        session.add(study)
        session.flush()
        for signed in (utc_now(), None):
            session.add(PhysicianReading(study_id=study.id, user_id=user.id, diagnosis="IBM", signed_at=signed))
            session.flush()
    return bare


def refused(database: Database, statement: str, why: str) -> None:
    with pytest.raises(DBAPIError, match=why), database.session() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET \"user\" = 'nobody'",
        "UPDATE audit_log SET hash = 'x' WHERE id = 1",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE id = 1",
    ],
)
def test_the_log_is_append_only(filled: Database, statement: str) -> None:
    refused(filled, statement, "append-only")
    with filled.session() as session:
        audit.record(session, "anna", "login")
        assert audit.check_chain(session) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE physician_readings SET diagnosis = 'PM' WHERE id = 1",
        "UPDATE physician_readings SET signed_at = NULL WHERE id = 1",
        "UPDATE physician_readings SET id = 9 WHERE id = 1",
        "DELETE FROM physician_readings WHERE id = 1",
        "DELETE FROM physician_readings",
    ],
)
def test_a_signed_reading_is_never_changed(filled: Database, statement: str) -> None:
    refused(filled, statement, "never changed")


def test_a_draft_may_change_be_signed_and_go(filled: Database) -> None:
    with filled.session() as session:
        session.execute(text("UPDATE physician_readings SET diagnosis = 'PM' WHERE id = 2"))
        session.execute(text("DELETE FROM physician_readings WHERE id = 2"))
        session.add(PhysicianReading(study_id=1, user_id=1, amends_id=1))
        session.flush()
        session.execute(text("UPDATE physician_readings SET signed_at = updated WHERE amends_id = 1"))
    refused(filled, "UPDATE physician_readings SET notes = 'x' WHERE amends_id = 1", "never changed")


@pytest.mark.parametrize(("table", "why"), [("audit_log", "append-only"), ("physician_readings", "never changed")])
def test_the_ways_around_are_closed(filled: Database, table: str, why: str) -> None:
    if filled.engine.dialect.name == "sqlite":
        refused(filled, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE id = 1", why)
    else:
        refused(filled, f"TRUNCATE {table} CASCADE", why)


def test_no_user_with_readings_can_be_deleted(filled: Database) -> None:
    refused(filled, "DELETE FROM users", "(?i)foreign key")
