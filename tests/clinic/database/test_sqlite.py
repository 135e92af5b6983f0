from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import IntegrityError

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import Study, User
from myosono.clinic.settings import DEMO_MARK, ClinicSettings
from myosono.errors import ClinicError, UnavailableError


def file_of(settings: ClinicSettings) -> Path:
    return Path(str(make_url(settings.url).database))


def names(database: Database) -> list[str]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(User.name)))


def test_a_new_file_that_another_start_holds_is_waited_for(settings: ClinicSettings) -> None:
    """SQLite refuses the change to write-ahead logging at once while another connection is about to write."""
    settings.data.mkdir(parents=True, exist_ok=True)
    other = sqlite3.connect(
        file_of(settings), isolation_level=None, check_same_thread=False
    )  # a rollback journal, as files begin
    other.execute("CREATE TABLE first (x)")  # with a rollback journal, as files begin
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.execute, ["COMMIT"]).start()
    database = Database(settings)
    with database.session() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
    other.close()


def test_an_error_does_not_quote_what_was_to_be_written(database: Database) -> None:
    """Errors go into logs, and patients' data do not."""
    with database.session() as session:
        session.add(Study(study_uid=None, source="upload", sender="ben", patient_name="Wang^XiaoDong"))
        with pytest.raises(IntegrityError) as raised:
            session.flush()
        session.rollback()
    assert "Wang" not in str(raised.value)


def test_a_file_that_vanished_is_neither_written_to_nor_made_anew(settings: ClinicSettings, tmp_path: Path) -> None:
    """A pooled connection would go on with the deleted file, a new one would begin an empty file."""
    database = Database(settings)
    upgrade(database)
    assert names(database) == []
    file = file_of(settings)
    file.rename(tmp_path / "aside.db")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="was there and is gone; put it back"):
            names(database)
    assert not file.exists()
    (tmp_path / "aside.db").rename(file)
    assert names(database) == []
    database.close()


def test_no_empty_clinic_begins_beside_the_images_of_one(settings: ClinicSettings, take, make_muscle, database) -> None:
    """The file was lost, or the disk that held it is not mounted, while nothing ran."""
    take(make_muscle(1))
    database.close()
    file = file_of(settings)
    file.rename(file.with_name("aside.db"))
    for _ in range(2):
        with pytest.raises(ClinicError, match=r"clinic\.db.*missing.*Restore it from the backup"):
            Database(settings)
        assert not file.exists()
    (settings.data / DEMO_MARK).touch()
    Database(settings).close()  # a demonstration begins anew
    (settings.data / DEMO_MARK).unlink()
    file.with_name("aside.db").rename(file)
    assert names(database) == []


def test_a_folder_with_settings_and_no_image_is_new(settings: ClinicSettings) -> None:
    (settings.files / "ab").mkdir(parents=True)
    (settings.data / "clinic.toml").write_text("port = 9000\n", encoding="utf-8")
    database = Database(settings)
    upgrade(database)
    assert names(database) == []
    database.close()


def test_a_file_put_in_place_of_another_is_the_one_that_is_read(settings: ClinicSettings, tmp_path: Path) -> None:
    """A restored backup, put there by one rename while the clinic runs."""
    database = Database(settings)
    upgrade(database)
    file = file_of(settings)
    backup = ClinicSettings(data=tmp_path / "backup")
    restored = Database(backup)
    upgrade(restored)
    with restored.session() as session:
        session.add(User(name="from the backup", role="admin", password_hash="none"))
    restored.close()
    assert names(database) == []
    file_of(backup).replace(file)
    for left in (".db-wal", ".db-shm"):
        file.with_suffix(left).unlink(missing_ok=True)
    assert names(database) == ["from the backup"]
    database.close()


def test_an_address_in_sqlites_own_form_opens_more_than_once(tmp_path: Path) -> None:
    """It names no path that could be looked at, so its file is not guarded."""
    settings = ClinicSettings(data=tmp_path / "clinic", database_url=f"sqlite:///file:{tmp_path}/own.db?uri=true")
    database = Database(settings)
    upgrade(database)
    with database.session(writes=False) as first, database.session(writes=False) as second:
        assert first.scalars(select(User.name)).all() == second.scalars(select(User.name)).all() == []
    database.close()
