from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import configuration, newest_revision, revision_of, upgrade
from myosono.clinic.database.models import Base
from myosono.clinic.settings import ClinicSettings
from myosono.errors import ClinicError, MissingExtraError, UnavailableError


def test_migrations_make_what_the_models_say(bare: Database) -> None:
    assert revision_of(bare) == ""
    assert upgrade(bare) == newest_revision() == revision_of(bare)
    with bare.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_second_run_has_nothing_to_do(bare: Database) -> None:
    upgrade(bare)
    with bare.session() as session:
        session.execute(text("INSERT INTO events (at, kind, detail) VALUES ('2026-01-01 00:00:00', 'study', '{}')"))
    assert upgrade(bare) == newest_revision()
    with bare.session(writes=False) as session:
        assert session.execute(text("SELECT count(*) FROM events")).scalar() == 1


def test_four_starts_at_once_take_turns(bare_settings: ClinicSettings) -> None:
    databases = [Database(bare_settings) for _ in range(4)]
    together = threading.Barrier(4)

    def start(database: Database) -> str:
        together.wait()
        return upgrade(database)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(start, databases)) == {newest_revision()}
    for database in databases:
        database.close()


def test_revisions_follow_one_another_in_one_line() -> None:
    script = ScriptDirectory.from_config(configuration())
    assert len(script.get_heads()) == 1
    assert [revision.revision for revision in script.walk_revisions()][-1] == "0001"


def test_a_failed_migration_leaves_nothing_behind(bare: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ScriptDirectory.from_config(configuration())
    last = script.get_revision("head").module

    def broken() -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(last, "upgrade", broken)
    monkeypatch.setattr(ScriptDirectory, "from_config", lambda config: script)
    with pytest.raises(RuntimeError):
        upgrade(bare)
    assert revision_of(bare) == ""
    monkeypatch.undo()
    assert upgrade(bare) == newest_revision()


def test_a_database_of_a_newer_version_is_refused(bare: Database) -> None:
    upgrade(bare)
    with bare.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ClinicError, match=r"9999.*Install the version"):
        upgrade(bare)


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    gone = ClinicSettings(data=tmp_path, database_url="postgresql+psycopg://clinic@127.0.0.1:1/clinic")
    with pytest.raises(UnavailableError, match="does not answer"):
        upgrade(Database(gone))
    with pytest.raises(UnavailableError, match="does not answer"), Database(gone).session():
        pass


@pytest.mark.parametrize("url", ["nonsense", "mars://x", "://"])
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ClinicError, match="not a database URL"):
        Database(ClinicSettings(data=tmp_path, database_url=url))


def test_a_missing_driver_is_named_with_its_extra(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match="postgresql"):
        Database(ClinicSettings(data=tmp_path, database_url="postgresql+psycopg2://x@y/z"))
