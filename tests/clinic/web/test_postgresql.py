"""The same clinic on PostgreSQL: first run, login, and every page that queries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myosono.clinic.accounts.login import FREE_BY_BOTH
from myosono.clinic.database.engine import Database
from myosono.clinic.files.intake import Origin, accept
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings, UploadLimits
from myosono.clinic.work.reader import StudyReader
from myosono.clinic.work.worker import Worker

from ..conftest import muscle_png

WORDS = "several unrelated words"


@pytest.fixture
def settings(tmp_path: Path, postgresql_url: str) -> ClinicSettings:
    """As elsewhere, but on PostgreSQL."""
    return ClinicSettings(data=tmp_path / "clinic", database_url=postgresql_url, uploads=UploadLimits(free_bytes=0))


def test_a_clinic_on_postgresql(
    browse: Callable[[], Any], settings: ClinicSettings, database: Database, study_reader: StudyReader
) -> None:
    anna = browse()
    answer = anna.send_form("/setup", name="anna", full_name="Anna Arzt", password=WORDS, again=WORDS)
    assert answer.headers["location"] == "/"
    with database.session() as session:
        origin = Origin("upload", "anna", name="P001_RD_1.png", study_uid="1.2.3")
        study = accept(session, FileStore(settings), muscle_png(), origin).study.id
    assert Worker(settings, database=database, reader=study_reader).run_once()
    pages = (
        "/", "/?search=P001", f"/studies/{study}", f"/studies/{study}/viewer", "/agreement", "/drift", "/account",
        "/admin", "/admin/users", "/admin/audit?action=login&since=2020-01-01", "/admin/audit.csv", "/healthz",
    )  # fmt: skip
    for page in pages:
        assert anna.get(page).status_code == 200, page
    assert "lines follow one another" in anna.send_form("/admin/audit/check").text
    assert "PostgreSQL" in anna.get("/admin").text
    anna.send_form("/account/tokens", name="export")
    changed = anna.send_form("/account/password", old=WORDS, password=f"{WORDS}!", again=f"{WORDS}!")
    assert changed.headers["location"] == "/account?done=password"
    for name in ("a\x00b", "\N{GRINNING FACE}"):
        assert anna.send_form("/admin/users", name=name, password=WORDS).status_code in (400, 422)
        assert anna.get("/admin/audit", params={"user": name}).status_code in (200, 422)
    assert anna.send_form(f"/admin/users/{2**40}", action="disable").status_code in (404, 422)
    stranger = browse()
    assert stranger.send_form("/login", name="a\x00b", password="wrong").status_code in (401, 422)
    codes = [stranger.send_form("/login", name="anna", password="wrong").status_code for _ in range(FREE_BY_BOTH + 1)]
    assert codes == [401] * FREE_BY_BOTH + [429]
