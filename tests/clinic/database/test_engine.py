from __future__ import annotations

import sqlite3
import threading

from sqlalchemy import make_url, text

from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings


def test_a_new_file_that_another_start_holds_is_waited_for(settings: ClinicSettings) -> None:
    """SQLite refuses the change to write-ahead logging at once while another connection is about to write."""
    settings.data.mkdir(parents=True, exist_ok=True)
    file = make_url(settings.url).database or ""
    other = sqlite3.connect(
        file, isolation_level=None, check_same_thread=False
    )  # with a rollback journal, as files begin
    other.execute("CREATE TABLE first (x)")
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.execute, ["COMMIT"]).start()
    database = Database(settings)
    with database.session() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
    other.close()
