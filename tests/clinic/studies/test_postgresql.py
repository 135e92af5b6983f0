"""The same services on PostgreSQL: JSON filters, order with gaps, locks, triggers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from myosono.clinic.database.engine import Database
from myosono.clinic.studies.agreement import measure_agreement
from myosono.clinic.studies.drift import measure_drift
from myosono.clinic.studies.opinions import Author, Opinion, amend, sign
from myosono.clinic.studies.worklist import UNDECIDED, WorklistQuery, list_studies

SICK = {"Normal": 0.1, "IBM": 0.7, "PM": 0.1, "DM": 0.1}


@pytest.fixture
def database(postgresql_database: Database) -> Database:
    return postgresql_database


@pytest.mark.slow
def test_worklist_opinions_agreement_and_drift(session, make_study, make_user):
    sick = make_study("P1", SICK, answer="IBM", sites=("RD", "LD"), echo=80.0, failed=1)
    make_study("P2", SICK, answer="IBM or PM")
    make_study("P3", status="receiving")
    assert [row.patient_id for row in list_studies(session, WorklistQuery(answer=UNDECIDED)).rows] == ["P2"]
    page = list_studies(session, WorklistQuery())
    assert [row.priority is None for row in page.rows] == [False, False, True]
    assert page.answers == ("IBM",)
    for order in ("arrived", "study_date", "patient", "source", "device", "status", "answer"):
        assert list_studies(session, WorklistQuery(order=order, text="p1")).total == 1

    user = make_user("ann")
    author = Author(user.id, user.name)
    signed = sign(session, sick.id, author, Opinion(diagnosis="IBM", agrees=True))
    amend(session, signed.id, author, Opinion(diagnosis="PM", agrees=False), "biopsy")
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text("UPDATE physician_readings SET diagnosis = 'DM' WHERE id = :id"), {"id": signed.id})
    assert measure_agreement(session).readings == 1

    week = measure_drift(session, weeks=1, today=datetime(2026, 3, 4, tzinfo=UTC).date()).weeks[0]
    assert week.start == date(2026, 3, 2)
    assert (week.studies, week.failed.count, week.echo_intensity.median) == (3, 1, 80.0)
