"""The outbox: what is sent arrives once, whatever the peer answers and whoever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry, OutboxItem, utc_now
from myosono.clinic.network import outbox
from myosono.clinic.network.outbox import LONGEST_PAUSE, REFUSALS, pause
from myosono.clinic.network.sender import Sender
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import ConflictError, NotFoundError, UsageError

from .archive import Archive, enqueue, item, make_due, with_peer
from .conftest import muscle_dicom, real_file, wait_until
from .peers import free_port

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


def test_images_arrive_and_it_is_written_down(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    archive = start_archive()
    number = enqueue(database, study_id)
    assert Sender(with_peer(settings, archive.port), database).run_once() == 1
    assert len(archive.kept) == 2
    assert wait_until(lambda: archive.ends == ["released"])  # two images, one association
    assert (item(database, number).status, item(database, number).attempts) == ("sent", 1)
    with database.session(writes=False) as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.action == "send")).one()
        assert (line.study_id, line.detail["peer"], line.detail["kind"]) == (study_id, "archive", "images")


def test_absent_peer_is_waited_for_ever_longer_and_nothing_is_lost(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    port = free_port()
    sender = Sender(with_peer(settings, port), database)
    number = enqueue(database, study_id)
    pauses = []
    for _ in range(REFUSALS + 2):
        make_due(database, number)
        sender.run_once()
        waiting = item(database, number)
        assert waiting.status == "waiting"
        assert "cannot be reached" in str(waiting.error)
        pauses.append(waiting.next_try - utc_now())
    assert pauses == sorted(pauses)
    assert sender.run_once() == 0  # not due
    archive = start_archive(port=port)
    make_due(database, number)
    assert sender.run_once() == 1
    assert (item(database, number).status, item(database, number).error) == ("sent", None)
    assert len(archive.kept) == 2


def test_pause_doubles_up_to_a_limit() -> None:
    assert [pause(attempts).total_seconds() for attempts in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert pause(10_000) == LONGEST_PAUSE


def test_busy_peer_is_tried_again(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    archive = start_archive(answer=lambda _: 0xA700)
    number = enqueue(database, study_id)
    sender = Sender(with_peer(settings, archive.port), database)
    for _ in range(REFUSALS + 1):
        make_due(database, number)
        sender.run_once()
    assert item(database, number).status == "waiting"
    assert "0xA700" in str(item(database, number).error)


def test_refusal_ends_after_some_tries_and_a_person_can_start_it_again(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    answers = [0xC000]
    archive = start_archive(answer=lambda _: answers[0])
    number = enqueue(database, study_id)
    sender = Sender(with_peer(settings, archive.port), database)
    for attempt in range(REFUSALS):
        assert item(database, number).status == "waiting", attempt
        make_due(database, number)
        sender.run_once()
    assert item(database, number).status == "failed"
    answers[0] = 0
    with database.session() as session:
        outbox.retry(session, number, "admin")
    sender.run_once()
    assert item(database, number).status == "sent"
    with database.session() as session, pytest.raises(ConflictError):
        outbox.retry(session, number, "admin")


def test_peer_without_the_class_refuses(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    other = AllStoragePresentationContexts[0]
    archive = start_archive(contexts=[other])
    number = enqueue(database, study_id)
    Sender(with_peer(settings, archive.port), database).run_once()
    assert "accepts none" in str(item(database, number).error)


def test_compressed_images_are_decompressed_for_a_peer_that_takes_no_others(
    settings: ClinicSettings, tmp_path: Path, start_archive: Callable[..., Archive]
) -> None:
    received: list[Any] = []
    ae = AE("ARCHIVE")
    ae.add_supported_context(ULTRASOUND, "1.2.840.10008.1.2.1")

    def keep(event: evt.Event) -> int:
        received.append(event.dataset)
        return 0

    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        path = real_file("US1_J2KR.dcm")
        [outcome] = store(settings, Peer(name="old", port=server.server_address[1], ae_title="ARCHIVE"), [path])
    finally:
        server.shutdown()
    assert outcome.error is None
    assert received[0].SOPInstanceUID == dcmread(path).SOPInstanceUID
    assert len(received[0].PixelData) == received[0].Rows * received[0].Columns * received[0].SamplesPerPixel


def test_unknown_peer_and_upload_fail_with_a_remedy(
    settings: ClinicSettings, database: Database, study_id: int
) -> None:
    number = enqueue(database, study_id, peer="nowhere")
    unread = enqueue(database, study_id, kind="sr")
    Sender(with_peer(settings, free_port()), database).run_once()
    assert item(database, number).status == "failed"
    assert "no PACS is called 'nowhere'" in str(item(database, number).error)
    assert item(database, unread).status == "failed"
    assert item(database, unread).error


def test_the_same_object_is_sent_again(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """Made once: a retry, even of another process, sends the same SOP instance."""
    made = []

    def make(*_: object) -> list[Any]:
        made.append(1)
        return [dcmread(muscle_dicom(tmp_path / f"made{len(made)}.dcm", generate_uid(), len(made)))]

    monkeypatch.setattr("myosono.clinic.network.parcels.make_study_objects", make)
    answers = iter([0xA700, 0])
    seen: list[str] = []

    def answer(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        return next(answers)

    archive = start_archive(answer=answer)
    number = enqueue(database, study_id, kind="sr")
    for _ in range(2):
        make_due(database, number)
        Sender(with_peer(settings, archive.port), database).run_once()
    assert item(database, number).status == "sent"
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert made == [1]
    assert str(item(database, number).file).startswith(f"{number}-sr-")


def test_an_object_of_a_database_that_was_replaced_is_never_sent(
    settings: ClinicSettings,
    database: Database,
    study_id: int,
    start_archive: Callable[..., Archive],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A restored or new database begins with numbers whose folders are there, with objects of other patients."""
    old, new = (muscle_dicom(tmp_path / f"{name}.dcm", generate_uid(), 1) for name in ("old", "new"))
    number = enqueue(database, study_id, kind="sr")
    left = settings.data / "outbox" / f"{number}-sr"
    left.mkdir(parents=True)
    (left / "001.dcm").write_bytes(old.read_bytes())
    monkeypatch.setattr("myosono.clinic.network.parcels.make_study_objects", lambda *_: [dcmread(new)])
    seen: list[str] = []

    def answer(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        return 0

    archive = start_archive(answer=answer)
    Sender(with_peer(settings, archive.port), database).run_once()
    assert seen == [str(dcmread(new).SOPInstanceUID)]


def test_items_of_a_dead_sender_are_taken_over_when_their_lease_ends(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    archive = start_archive()
    number = enqueue(database, study_id)
    with database.session() as session:
        assert [one.id for one in outbox.claim(session, 60.0)] == [number]
    sender = Sender(with_peer(settings, archive.port), database)
    assert sender.run_once() == 0
    with database.session() as session:
        session.get_one(OutboxItem, number).next_try = utc_now() - timedelta(seconds=1)
    assert sender.run_once() == 1
    assert item(database, number).status == "sent"


def test_unknown_kind_way_and_study(database: Database, study_id: int) -> None:
    with database.session() as session:
        with pytest.raises(UsageError, match="no such object: 'film'"):
            outbox.enqueue(session, study_id, "film", "archive", "dimse", "test")
        with pytest.raises(UsageError, match="no such way: 'fax'"):
            outbox.enqueue(session, study_id, "sr", "archive", "fax", "test")
        with pytest.raises(NotFoundError):
            outbox.enqueue(session, 999, "sr", "archive", "dimse", "test")


def test_an_older_object_never_arrives_after_a_newer_one(database: Database, study_id: int) -> None:
    """A preliminary report that had waited out its pauses had come to the PACS after the final one."""
    old, new = (enqueue(database, study_id, kind="sr") for _ in range(2))
    with database.session() as session:
        session.get_one(OutboxItem, old).next_try = utc_now() + timedelta(minutes=5)
    with database.session() as session:
        assert [one.id for one in outbox.claim(session, 60.0)] == [old, new]
        outbox.fail(session, old, "refused")
        outbox.done(session, new)
    with pytest.raises(ConflictError, match="a newer object"), database.session() as session:
        outbox.retry(session, old, "ann")
