"""Users and the audit log, as an administrator sees them."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from myosono.clinic import audit
from myosono.clinic.accounts.users import find_user
from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry

WORDS = "several unrelated words"


def test_the_overview_counts_and_names_the_model(admin: Any) -> None:
    page = admin.get("/admin").text
    assert "stanet_s-simulated" in page
    assert "SQLite" in page


def test_a_user_is_added_changed_and_kept_out(admin: Any, browse: Callable[[], Any]) -> None:
    added = admin.send_form("/admin/users", name="li.wei", full_name="李伟", password=WORDS, role="reader")
    assert "The user was added." in admin.get(added.headers["location"]).text
    li = browse().sign_in("li.wei")
    assert li.get("/admin").status_code == 403
    assert admin.send_form("/admin/users/3", action="admin").status_code == 303
    assert li.get("/admin").status_code == 200
    assert admin.send_form("/admin/users/3", action="disable").status_code == 303
    assert li.get("/account").url.path == "/login"
    assert browse().send_form("/login", name="li.wei", password=WORDS).status_code == 401
    assert admin.send_form("/admin/users/3", action="enable").status_code == 303
    assert admin.send_form("/admin/users/3", action="password", password="other unrelated words").status_code == 303
    assert browse().sign_in("li.wei", "other unrelated words")


@pytest.mark.parametrize(
    ("path", "fields", "status", "reason"),
    [
        ("/admin/users", {"name": "ben", "password": WORDS}, 409, "is taken"),
        ("/admin/users", {"name": "new", "password": "short"}, 400, "too short"),
        ("/admin/users", {"name": "new", "password": WORDS, "role": "root"}, 400, "No role"),
        ("/admin/users/1", {"action": "disable"}, 403, "no administrator left"),
        ("/admin/users/1", {"action": "reader"}, 403, "no administrator left"),
        ("/admin/users/2", {"action": "explode"}, 400, "No such action"),
        ("/admin/users/99", {"action": "disable"}, 404, "No user 99"),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(
    admin: Any, path: str, fields: dict[str, str], status: int, reason: str
) -> None:
    answer = admin.send_form(path, **fields)
    assert answer.status_code == status
    assert reason in answer.text


def test_a_password_set_by_an_administrator_ends_sessions_and_tokens(
    admin: Any, reader: Any, program: Any, database: Database
) -> None:
    with database.session(writes=False) as session:
        ben = find_user(session, "ben")
        assert ben is not None
    assert "revokes the user&#39;s API tokens" in admin.get("/admin/users").text
    assert reader.get("/account").status_code == program.get("/api/v1/studies").status_code == 200
    admin.send_form(f"/admin/users/{ben.id}", action="password", password="other unrelated words")
    assert reader.get("/account").url.path == "/login"
    assert program.get("/api/v1/studies").status_code == 401


@pytest.fixture
def lines(admin: Any, database: Database) -> None:
    """A log with something in it."""
    with database.session() as session:
        for n in range(120):
            audit.record(session, "dicom:CART1", "receive", study_id=n, model_sha256="ab" * 32)
        audit.record(session, "eve", "upload", study_id=7, name='=HYPERLINK("http://evil")<script>')


def test_the_log_is_paged_newest_first(admin: Any, lines: None) -> None:
    first = admin.get("/admin/audit").text
    assert "124 lines, page 1 of 3" in first
    assert first.index(">124<") < first.index(">123<")
    assert "&lt;script&gt;" in first
    last = admin.get("/admin/audit?page=3").text
    assert 'rel="next"' not in last
    assert 'href="?page=2"' in last
    assert "No lines" in admin.get("/admin/audit?page=9").text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("user=eve", 1),
        ("action=receive", 120),
        ("study=7", 2),
        ("study=7&user=eve", 1),
        ("since=2020-01-01", 124),
        ("until=2020-01-01", 0),
        ("user=%27+OR+1%3D1", 0),
    ],
)
def test_the_log_is_filtered(admin: Any, lines: None, query: str, count: int) -> None:
    assert f"{count} lines" in admin.get(f"/admin/audit?{query}").text


def test_a_day_of_the_log_ends_at_the_next_midnight_of_the_clinic(admin: Any, database: Database, clock: Any) -> None:
    """The day on which summer time begins has 23 hours."""
    clock("CET-1CEST,M3.5.0,M10.5.0/3")
    with database.session() as session:
        for at in (datetime(2026, 3, 29, 21, 30, tzinfo=UTC), datetime(2026, 3, 29, 22, 30, tzinfo=UTC)):
            session.add(AuditEntry(at=at, user="eve", action="x", previous="", hash=str(at)))
    assert "1 lines" in admin.get("/admin/audit?user=eve&since=2026-03-29&until=2026-03-29").text
    assert "1 lines" in admin.get("/admin/audit?user=eve&since=2026-03-30&until=2026-03-30").text
    assert "0 lines" in admin.get("/admin/audit?user=eve&until=2026-03-28").text


@pytest.mark.parametrize("query", ["study=x", "study=-1", "since=yesterday", "until=2026-13-01", "since=0001-01-01"])
def test_a_filter_that_cannot_be_is_refused_or_finds_nothing_wrong(admin: Any, lines: None, query: str) -> None:
    assert admin.get(f"/admin/audit?{query}").status_code in (200, 400)


def test_the_log_goes_out_as_csv_that_is_no_formula(admin: Any, lines: None, database: Database) -> None:
    answer = admin.get("/admin/audit.csv?study=7")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "audit-log.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["user"] for row in rows] == ["dicom:CART1", "eve"]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    everything = list(csv.DictReader(io.StringIO(admin.get("/admin/audit.csv").text)))
    assert len(everything) == 124
    assert all(one["hash"] == after["previous"] for one, after in itertools.pairwise(everything))


def test_the_log_is_checked_on_request(admin: Any, lines: None, database: Database) -> None:
    page = admin.send_form("/admin/audit/check")
    assert "All 124 lines follow one another" in page.text
    with database.session() as session:
        assert audit.head(session) in page.text
        session.execute(text("DROP TRIGGER audit_log_update"))
        session.execute(text("UPDATE audit_log SET study_id = 8 WHERE id = 9"))
    assert "was changed at line 9" in admin.send_form("/admin/audit/check").text


def test_an_administrators_token_makes_no_accounts(admin_program: Any) -> None:
    """A token that leaked could have made administrators who outlive it."""
    assert admin_program.get("/admin/users").status_code == 200
    new = {"name": "eve", "password": WORDS, "role": "admin"}
    assert admin_program.post("/admin/users", data=new).status_code == 403
    assert admin_program.post("/admin/users/1", data={"action": "password", "password": WORDS}).status_code == 403
