"""The worker: faults of files, of the disk and of the database each end in a clear state."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from myosono.clinic.database.models import AuditEntry, Event, StoredImage, Study, utc_now
from myosono.clinic.studies.load import load_study
from myosono.clinic.work import queue
from myosono.clinic.work.maps import pack, unpack
from myosono.clinic.work.pooling import reread_study
from myosono.clinic.work.worker import Worker
from myosono.errors import ClinicError, ConflictError, NotFoundError, UnavailableError


def the_image(database) -> StoredImage:  # type: ignore[no-untyped-def]
    with database.session(writes=False) as session:
        return session.scalars(select(StoredImage)).one()


def test_nothing_waits(worker) -> None:
    assert worker.run_once() is False


def test_a_damaged_file_fails_with_its_reason_at_once(database, take, worker, make_muscle) -> None:
    study = take(make_muscle(1)[:2000]).study
    assert worker.run_once()
    assert not worker.run_once()
    image = the_image(database)
    assert (image.status, image.attempts) == ("failed", 1)
    assert "cannot" in image.error
    assert "/" not in image.error, "a path inside the store tells a user nothing"
    with database.session(writes=False) as session:
        assert load_study(session, study.id).status == "failed"


def test_the_frames_before_the_damage_are_kept(database, take, worker) -> None:
    frames = [Image.fromarray(np.random.default_rng(seed).integers(0, 255, (90, 80), np.uint8)) for seed in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw")
    data = bytearray(stream.getvalue())
    middle = Image.open(io.BytesIO(bytes(data)))
    middle.seek(1)
    start = middle.tag_v2[273][0]
    data[start : start + 3000] = bytes(3000)
    study = take(bytes(data), "loop.tif").study
    worker.run_once()
    with database.session(writes=False) as session:
        (image,) = load_study(session, study.id).images
    assert image.status == "read"
    assert [frame.frame for frame in image.frames] == [0]
    assert "frame 2" in image.error


def test_a_vanished_file_fails_with_its_reason(database, take, worker, store, make_muscle) -> None:
    store.path(take(make_muscle(1)).image.file).unlink()
    worker.run_once()
    assert "does not exist" in the_image(database).error


def run_until_settled(worker, database) -> None:  # type: ignore[no-untyped-def]
    """In a thread, as the reading process does, until no image waits."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run_forever, args=(stop,))
    thread.start()
    end = time.monotonic() + 60
    while the_image(database).status in ("pending", "reading") and time.monotonic() < end:
        time.sleep(0.02)
    stop.set()
    thread.join(30)


def test_a_folder_that_is_away_fails_no_image(database, take, worker, store, make_muscle, monkeypatch) -> None:
    monkeypatch.setattr("myosono.clinic.work.worker.RETRY_SECONDS", 0.01)
    take(make_muscle(1))
    away = store.root.with_name("away")
    store.root.rename(away)
    with pytest.raises(UnavailableError, match="folder of files is gone"):
        worker.run_once()
    threading.Timer(1.0, away.rename, [store.root]).start()
    with database.session() as session:
        queue.release(session, worker.owner, forgive=True)
    run_until_settled(worker, database)
    assert (the_image(database).status, the_image(database).attempts) == ("read", 1)


def test_a_result_that_cannot_be_kept_fails_its_image(database, take, worker, make_muscle, monkeypatch) -> None:
    monkeypatch.setattr("myosono.clinic.work.worker.RETRY_SECONDS", 0.01)
    take(make_muscle(1))

    def refuse(*_given: object) -> None:
        raise IntegrityError("INSERT", {}, Exception("value too long"))

    monkeypatch.setattr(worker, "_keep", refuse)
    run_until_settled(worker, database)
    assert (the_image(database).status, the_image(database).attempts) == ("failed", 3)
    assert "could not be kept" in the_image(database).error


def test_a_passing_fault_is_tried_again(database, take, worker, study_reader, make_muscle, monkeypatch) -> None:
    take(make_muscle(1))
    intact = type(study_reader).read
    calls = []

    def flaky(self, *args, **named):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) < 3:
            raise MemoryError("no room")
        yield from intact(self, *args, **named)

    monkeypatch.setattr(type(study_reader), "read", flaky)
    statuses = []
    while worker.run_once():
        statuses.append(the_image(database).status)
    assert statuses == ["pending", "pending", "read"]
    assert the_image(database).error is None


def test_each_read_image_is_an_event(database, take, worker, make_muscle) -> None:
    study = take(make_muscle(1)).study
    worker.run_once()
    with database.session(writes=False) as session:
        events = [(event.kind, event.study_id) for event in session.scalars(select(Event).order_by(Event.id))]
    assert events == [("study", study.id), ("image", study.id), ("study", study.id)]


def test_an_idle_worker_tidies_up(settings, database, study_reader) -> None:
    with database.session() as session:
        session.add(Event(kind="study", at=utc_now() - timedelta(hours=2)))
        session.add(Event(kind="study"))
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings, database=database, reader=study_reader).run_forever, args=(stop,))
    thread.start()
    end = time.monotonic() + 30
    left = 2
    while left > 1 and time.monotonic() < end:
        time.sleep(0.05)
        with database.session(writes=False) as session:
            left = len(session.scalars(select(Event)).all())
    stop.set()
    thread.join(30)
    assert left == 1


def test_a_locked_database_is_waited_for(settings, database, take, study_reader, make_muscle, monkeypatch) -> None:
    take(make_muscle(1))
    monkeypatch.setattr("myosono.clinic.database.engine.BUSY_SECONDS", 0.2)
    monkeypatch.setattr("myosono.clinic.work.worker.RETRY_SECONDS", 0.1)
    worker = Worker(settings, reader=study_reader)
    other = sqlite3.connect(settings.data / "clinic.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ClinicError, match="does not answer"):
        worker.run_once()
    stop = threading.Event()
    thread = threading.Thread(target=worker.run_forever, args=(stop,))
    thread.start()
    time.sleep(1)
    assert thread.is_alive()
    other.execute("ROLLBACK")
    other.close()
    end = time.monotonic() + 30
    while the_image(database).status != "read" and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    thread.join(30)
    assert the_image(database).status == "read"
    assert not thread.is_alive()


def test_a_database_that_was_away_is_met_again(
    settings, database, take, study_reader, make_muscle, monkeypatch
) -> None:
    """The file is moved away and back, as when a network drive drops out."""
    take(make_muscle(1))
    monkeypatch.setattr("myosono.clinic.work.worker.RETRY_SECONDS", 0.1)
    database.close()
    worker = Worker(settings, reader=study_reader)
    away = settings.data.with_name("away")
    settings.data.rename(away)
    with pytest.raises(ClinicError):
        worker.run_once()
    away.rename(settings.data)
    assert worker.run_once()
    assert the_image(database).status == "read"


def test_a_database_that_goes_while_an_image_is_read_costs_no_attempt(
    settings, database, take, study_reader, make_muscle, monkeypatch
) -> None:
    take(make_muscle(1))
    monkeypatch.setattr("myosono.clinic.work.worker.RETRY_SECONDS", 0.01)
    worker = Worker(settings, database=database, reader=study_reader)
    intact, outages = worker._keep, []

    def away(*given: object) -> None:
        outages.append(1)
        if len(outages) <= 5:
            raise UnavailableError("the database does not answer")
        intact(*given)

    monkeypatch.setattr(worker, "_keep", away)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run_forever, args=(stop,))
    thread.start()
    end = time.monotonic() + 60
    while the_image(database).status != "read" and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    thread.join(30)
    assert (the_image(database).status, the_image(database).attempts, len(outages)) == ("read", 1, 6)


def test_a_study_is_read_again_on_request_unless_it_is_signed(database, take, worker, make_muscle) -> None:
    study = take(make_muscle(1)).study
    worker.run_once()
    with database.session() as session:
        reread_study(session, study.id, "ada")
    with database.session(writes=False) as session:
        view = load_study(session, study.id)
        assert (view.status, view.answer, view.images[0].status, view.images[0].frames) == (
            "receiving", "", "pending", (),
        )  # fmt: skip
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (entry.user, entry.action) == ("ada", "reread")
    worker.run_once()
    with database.session() as session:
        assert load_study(session, study.id).status == "read"
        session.get(Study, study.id).status = "signed"
    with pytest.raises(ConflictError, match="signed study"), database.session() as session:
        reread_study(session, study.id, "ada")
    with pytest.raises(NotFoundError), database.session() as session:
        reread_study(session, 99, "ada")


def test_a_large_study_is_not_pooled_at_every_image(database, take, worker, make_muscle, monkeypatch) -> None:
    pooled = []
    from myosono.clinic.work import worker as module

    intact = module.pool_study
    monkeypatch.setattr(module, "pool_study", lambda *given: pooled.append(1) or intact(*given))
    monkeypatch.setattr(module, "_POOL_SECONDS", 3600.0)
    for seed in range(6):
        take(make_muscle(seed), f"P001_RD_{seed}.png")
    while worker.run_once():
        pass
    assert len(pooled) == 2
    with database.session(writes=False) as session:
        study = session.scalars(select(Study)).one()
    assert (study.status, study.result["images"]) == ("read", 6)


def test_maps_survive_the_database(database, take, worker, study_reader, make_muscle, tmp_path) -> None:
    take(make_muscle(1))
    worker.run_once()
    with database.session(writes=False) as session:
        (frame,) = session.scalars(select(StoredImage)).one().frames
        class_maps, shrinkage = unpack(frame.maps)
    path = tmp_path / "a.png"
    path.write_bytes(make_muscle(1))
    (expected,) = study_reader.reader.read(path).images
    assert class_maps.shape == expected.class_maps.shape
    assert np.allclose(class_maps, expected.class_maps, rtol=1e-3, atol=1e-3)
    assert np.allclose(shrinkage, expected.shrinkage, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("damage", [b"", b"msm1", b"other" * 10])
def test_damaged_maps_are_told(damage: bytes) -> None:
    with pytest.raises(ClinicError, match="maps are damaged"):
        unpack(damage)
    whole = pack(np.zeros((2, 3, 4), np.float32), np.zeros((3, 4), np.float32))
    with pytest.raises(ClinicError, match="maps are damaged"):
        unpack(whole[:-4])
