"""The outbox: peers that are away, hang, refuse or die, and senders that die."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry, OutboxItem, StoredImage, utc_now
from myosono.clinic.files.store import FileStore
from myosono.clinic.network import outbox
from myosono.clinic.network.outbox import LONGEST_PAUSE, REFUSALS, pause
from myosono.clinic.network.receive import Receiver
from myosono.clinic.network.scu import echo
from myosono.clinic.network.sender import Sender
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import ConflictError, NotFoundError, PeerError, UsageError

from .conftest import make_settings, muscle_dicom, real_file, wait_until
from .peers import free_port

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


class Archive:
    """A peer that keeps what it gets, or answers as it is told."""

    def __init__(
        self, *, answer: Callable[[evt.Event], int] | None = None, contexts: Any = None, port: int = 0
    ) -> None:
        self.kept: list[str] = []
        self.ends: list[str] = []
        self._answer = answer or (lambda _: 0)
        ae = AE("ARCHIVE")
        ae.supported_contexts = contexts or AllStoragePresentationContexts
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, lambda _: self.ends.append("released")),
            (evt.EVT_ABORTED, lambda _: self.ends.append("aborted")),
        ]
        self.server: Any = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def _store(self, event: evt.Event) -> int:
        status = self._answer(event)
        if status == 0:
            self.kept.append(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        return status


@pytest.fixture
def start_archive() -> Iterator[Callable[..., Archive]]:
    started: list[Archive] = []

    def start(**options: Any) -> Archive:
        started.append(Archive(**options))
        return started[-1]

    yield start
    for archive in started:
        archive.server.shutdown()


def with_peer(settings: ClinicSettings, port: int, **peer: Any) -> ClinicSettings:
    found = Peer(name="archive", port=port, ae_title="ARCHIVE", **peer)
    return settings.model_copy(update={"pacs": settings.pacs.model_copy(update={"peers": (found,)})})


@pytest.fixture
def study_id(settings: ClinicSettings, database: Database, tmp_path: Path) -> int:
    """A study of two DICOM images."""
    uid = generate_uid()
    receiver = Receiver(database, FileStore(settings))
    for number in (1, 2):
        receiver.receive(muscle_dicom(tmp_path / f"{number}.dcm", uid, number), "CART1")
    with database.session(writes=False) as session:
        return session.scalars(select(StoredImage.study_id).limit(1)).one()


def enqueue(database: Database, study_id: int, kind: str = "images", via: str = "dimse", peer: str = "archive") -> int:
    with database.session() as session:
        return outbox.enqueue(session, study_id, kind, peer, via, "test").id


def item(database: Database, item_id: int) -> OutboxItem:
    with database.session(writes=False) as session:
        return session.get_one(OutboxItem, item_id)


def make_due(database: Database, item_id: int) -> None:
    with database.session() as session:
        session.get_one(OutboxItem, item_id).next_try = utc_now()


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
    assert item(database, number).file == f"{number}-sr"


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


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield int(server.getsockname()[1])


def test_peer_that_hangs_holds_us_no_longer_than_the_limit(tmp_path: Path, mute_port: int) -> None:
    settings = make_settings(tmp_path / "clinic", timeout_seconds=1.0)
    begun = time.monotonic()
    with pytest.raises(PeerError):
        echo(settings, Peer(name="mute", port=mute_port))
    assert time.monotonic() - begun < 5


def test_peer_that_stops_in_mid_answer(tmp_path: Path) -> None:
    """pynetdicom lifts the socket's time limit once connected; half a PDU would then be waited for without end."""
    settings = make_settings(tmp_path / "clinic", timeout_seconds=1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_half() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\x02\x00\x00\x00\x01\x00half of an A-ASSOCIATE-AC")
                time.sleep(6)

        thread = threading.Thread(target=answer_half)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(PeerError):
            echo(settings, Peer(name="half", port=server.getsockname()[1]))
        assert time.monotonic() - begun < 5
        thread.join()


def test_peer_that_hangs_in_the_middle_of_a_transfer(
    tmp_path: Path, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    settings = make_settings(tmp_path / "clinic", timeout_seconds=3.0)

    def hang(_: evt.Event) -> int:
        time.sleep(8)
        return 0

    archive = start_archive(answer=hang)
    number = enqueue(database, study_id)
    begun = time.monotonic()
    Sender(with_peer(settings, archive.port), database).run_once()
    assert time.monotonic() - begun < 10
    assert item(database, number).status == "waiting"
    assert "did not answer C-STORE" in str(item(database, number).error)


def test_peer_that_hangs_does_not_hold_up_the_others(
    tmp_path: Path, database: Database, study_id: int, mute_port: int, start_archive: Callable[..., Archive]
) -> None:
    archive = start_archive()
    peers = (Peer(name="mute", port=mute_port), Peer(name="archive", port=archive.port, ae_title="ARCHIVE"))
    settings = make_settings(tmp_path / "clinic", timeout_seconds=8.0, peers=peers)
    stuck = enqueue(database, study_id, peer="mute")
    quick = enqueue(database, study_id)
    stop = threading.Event()
    thread = threading.Thread(target=Sender(settings, database).run_forever, args=(stop,))
    thread.start()
    try:
        assert wait_until(lambda: item(database, quick).status == "sent", 6)
        assert item(database, stuck).status == "sending"
        assert wait_until(lambda: item(database, stuck).status == "waiting", 15)
    finally:
        stop.set()
        thread.join()


def test_peer_that_aborts_in_the_middle(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive]
) -> None:
    def abort(event: evt.Event) -> int:
        event.assoc.abort()
        return 0

    archive = start_archive(answer=abort)
    number = enqueue(database, study_id)
    Sender(with_peer(settings, archive.port), database).run_once()
    assert item(database, number).status == "waiting"
    assert item(database, number).error


def test_database_gone_while_sending_loses_nothing(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive], tmp_path: Path
) -> None:
    archive = start_archive()
    number = enqueue(database, study_id)
    where = settings.data / "clinic.db"
    database.close()
    where.rename(tmp_path / "aside.db")
    # Into a folder that is not there: it cannot be opened, nor made anew, until one rename puts it back.
    where.symlink_to(tmp_path / "absent" / "clinic.db")
    stop = threading.Event()
    thread = threading.Thread(target=Sender(with_peer(settings, archive.port), database).run_forever, args=(stop,))
    thread.start()
    try:
        time.sleep(2.0)
        assert archive.kept == []
        (tmp_path / "aside.db").replace(where)
        assert wait_until(lambda: item(database, number).status == "sent", 15)
    finally:
        stop.set()
        thread.join()


class _Answering(BaseHTTPRequestHandler):
    status = 500

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("status", "verdict"), [(503, "waiting"), (401, "waiting"), (415, "refused")])
def test_dicomweb_errors(
    settings: ClinicSettings, database: Database, study_id: int, status: int, verdict: str
) -> None:
    handler = type("Handler", (_Answering,), {"status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        where = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
        sender = Sender(with_peer(settings, free_port(), dicomweb=where), database)
        number = enqueue(database, study_id, via="dicomweb")
        for _ in range(REFUSALS):
            make_due(database, number)
            sender.run_once()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert item(database, number).status == ("failed" if verdict == "refused" else "waiting")
    assert f"HTTP {status}" in str(item(database, number).error)
