"""The outbox when something is gone: peers that hang, stop or abort, and a database that is away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pynetdicom import evt

from myosono.clinic.database.engine import Database
from myosono.clinic.network.outbox import REFUSALS
from myosono.clinic.network.scu import echo
from myosono.clinic.network.sender import Sender
from myosono.clinic.network.storing import Outcome
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

from .archive import Archive, enqueue, item, make_due, with_peer
from .conftest import make_settings, wait_until
from .peers import free_port


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
    where.rename(tmp_path / "aside.db")
    stop = threading.Event()
    thread = threading.Thread(target=Sender(with_peer(settings, archive.port), database).run_forever, args=(stop,))
    thread.start()
    try:
        time.sleep(2.0)
        assert archive.kept == []
        assert not where.exists()
        (tmp_path / "aside.db").rename(where)
        assert wait_until(lambda: item(database, number).status == "sent", 15)
    finally:
        stop.set()
        thread.join()


def test_an_item_that_breaks_in_the_making_holds_up_no_other(
    settings: ClinicSettings, database: Database, study_id: int, start_archive: Callable[..., Archive],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def broken(*_: object) -> None:
        raise ValueError("offset must be a timedelta strictly between: '\0\udce9'")

    monkeypatch.setattr("myosono.clinic.network.parcels.make_study_objects", broken)
    archive = start_archive()
    bad, good = enqueue(database, study_id, kind="sr"), enqueue(database, study_id)
    assert Sender(with_peer(settings, archive.port), database).run_once() == 2
    failed = item(database, bad)
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert "cannot be made: ValueError: offset must be" in str(failed.error)
    assert item(database, good).status == "sent"
    assert any(line.exc_info for line in caplog.records)


def test_what_interrupts_a_transfer_is_told_and_the_rest_is_tried_again(
    settings: ClinicSettings, database: Database, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object, __: object, files: Sequence[Path]) -> Iterator[Outcome]:
        yield from (Outcome(file) for file in files[:2])
        raise KeyError("a bug")

    monkeypatch.setattr("myosono.clinic.network.sender.store", interrupted)
    first, second = enqueue(database, study_id), enqueue(database, study_id)
    sender = Sender(with_peer(settings, free_port()), database)
    sender.run_once()
    assert item(database, first).status == "sent"
    left = item(database, second)
    assert (left.status, left.attempts) == ("waiting", 1)
    assert "sending was interrupted: KeyError: 'a bug'" in str(left.error)
    assert sender.run_once() == 0  # it waits its turn


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
