"""Peers that misbehave cost their own connection and nothing else."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from myosono.clinic.database.engine import Database
from myosono.clinic.network.guard import MAX_CONNECTIONS
from myosono.clinic.network.incoming import sweep
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.scu import echo
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

from .conftest import make_settings, real_file, variant, wait_until
from .test_scp import stored


def connect(scp: StorageScp) -> socket.socket:
    return socket.create_connection(("127.0.0.1", scp.port), timeout=10)


def associations(scp: StorageScp) -> int:
    assert scp._server is not None
    return len(scp._server.active_associations)


def is_closed(connection: socket.socket, seconds: float = 8.0) -> bool:
    """Whether the node ends the connection (what it says before, such as A-ABORT, is read away)."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def goes_through(connection: socket.socket, parts: Iterable[bytes], pause: float) -> bool:
    """Whether the node takes all the parts; False if it ends the connection before."""
    try:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
    except OSError:
        return False
    return True


def recorded_store(settings: ClinicSettings, file: Path) -> list[bytes]:
    """The PDUs that a well-behaved sender of a file writes, to be played back badly."""
    sent: list[bytes] = []
    ae = AE()
    ae.add_supported_context("1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.1.2.4.90")
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0)])
    assert server is not None
    received = [(evt.EVT_DATA_RECV, lambda event: sent.append(event.data))]
    for event, handler in received:
        server.bind(event, handler)
    list(store(settings, Peer(name="recorder", port=server.server_address[1]), [file]))
    server.shutdown()
    return sent


@pytest.fixture
def pdus(settings: ClinicSettings, tmp_path: Path) -> list[bytes]:
    file = variant(real_file("US1_J2KR.dcm"), tmp_path / "recorded.dcm", generate_uid(), 1)
    found = recorded_store(settings, file)
    assert found[0][0] == 1  # A-ASSOCIATE-RQ
    assert [pdu[0] for pdu in found[1:3]] == [4, 4]  # P-DATA
    return found


def test_recording_played_back_well_is_stored(scp: StorageScp, database: Database, pdus: list[bytes]) -> None:
    with connect(scp) as connection:
        connection.sendall(pdus[0])
        connection.recv(65536)
        connection.sendall(b"".join(pdus[1:-1]))
        assert wait_until(lambda: len(stored(database)) == 1)


def test_silent_peer_is_given_up(scp: StorageScp) -> None:
    with connect(scp) as connection:
        assert is_closed(connection)
    assert wait_until(lambda: associations(scp) == 0)


def test_peer_that_stops_in_the_middle_of_a_pdu_is_given_up(scp: StorageScp, pdus: list[bytes]) -> None:
    with connect(scp) as connection:
        connection.sendall(pdus[0][:40])
        assert is_closed(connection)
    assert wait_until(lambda: associations(scp) == 0)


def test_peer_that_drips_is_given_up(scp: StorageScp, pdus: list[bytes]) -> None:
    """One byte at a time is always within a time limit for each byte, so the whole PDU has one."""
    with connect(scp) as connection:
        begun = time.monotonic()
        assert not goes_through(connection, (bytes([byte]) for byte in pdus[0]), 0.25)
        assert time.monotonic() - begun < 12
    assert wait_until(lambda: associations(scp) == 0)


def test_drop_in_the_middle_of_an_image_stores_nothing(
    scp: StorageScp, database: Database, settings: ClinicSettings, ourselves: Peer, pdus: list[bytes]
) -> None:
    with connect(scp) as connection:
        connection.sendall(pdus[0])
        connection.recv(65536)
        connection.sendall(pdus[1] + pdus[2][: len(pdus[2]) // 2])
    assert wait_until(lambda: associations(scp) == 0)
    assert stored(database) == []
    assert echo(settings, ourselves) < 3


def test_hang_in_the_middle_of_an_image_stores_nothing(
    scp: StorageScp, database: Database, settings: ClinicSettings, ourselves: Peer, pdus: list[bytes]
) -> None:
    with connect(scp) as connection:
        connection.sendall(pdus[0])
        connection.recv(65536)
        connection.sendall(pdus[1] + pdus[2][:-100])
        assert is_closed(connection)
    assert wait_until(lambda: associations(scp) == 0)
    assert stored(database) == []


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 2**20 + 1])
def test_pdu_that_announces_too_much_is_not_waited_for(scp: StorageScp, length: int) -> None:
    begun = time.monotonic()
    with connect(scp) as connection:
        connection.sendall(struct.pack(">BBL", 1, 0, length) + bytes(1000))
        assert is_closed(connection)
    assert time.monotonic() - begun < 2


def test_fragment_longer_than_its_pdu(
    scp: StorageScp, settings: ClinicSettings, ourselves: Peer, pdus: list[bytes]
) -> None:
    wrong = bytearray(pdus[1])
    wrong[6:10] = struct.pack(">L", 2**31)  # length of the presentation data value
    with connect(scp) as connection:
        connection.sendall(pdus[0])
        connection.recv(65536)
        connection.sendall(bytes(wrong))
        assert is_closed(connection)
    assert wait_until(lambda: associations(scp) == 0)
    assert echo(settings, ourselves) < 3


def test_message_beyond_the_limit_is_cut_off(
    start_scp: Callable[..., StorageScp], database: Database, tmp_path: Path, pdus: list[bytes]
) -> None:
    settings = make_settings(tmp_path / "clinic")
    small = settings.model_copy(update={"uploads": settings.uploads.model_copy(update={"file_bytes": 1000})})
    scp = start_scp(small)
    endless = pdus[2][:6] + pdus[2][6:11] + b"\0" + pdus[2][12:]  # "not the last fragment", again and again
    with connect(scp) as connection:
        connection.sendall(pdus[0])
        connection.recv(65536)
        connection.sendall(pdus[1])
        assert not goes_through(connection, [endless] * 200, 0.005)
    assert wait_until(lambda: associations(scp) == 0)
    assert stored(database) == []


GARBAGE = {
    "web browser": b"GET / HTTP/1.1\r\nHost: clinic\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "zeros": bytes(4096),
    "P-DATA unasked": struct.pack(">BBL", 4, 0, 10) + bytes(10),
    "empty association": struct.pack(">BBL", 1, 0, 0),
    "release unasked": struct.pack(">BBLL", 5, 0, 4, 0),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage(scp: StorageScp, settings: ClinicSettings, ourselves: Peer, garbage: bytes) -> None:
    with connect(scp) as connection:
        connection.sendall(garbage)
        assert is_closed(connection, 12)
    assert wait_until(lambda: associations(scp) == 0)
    assert echo(settings, ourselves) < 3


# pynetdicom's own thread dies of some of these streams, and its association with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_random_damage_never_stops_the_node(
    scp: StorageScp, database: Database, settings: ClinicSettings, ourselves: Peer, pdus: list[bytes]
) -> None:
    rng = random.Random(20261123)
    for _ in range(40):
        stream = bytearray(b"".join(pdus))
        for _ in range(rng.randint(1, 8)):
            stream[rng.randrange(min(len(stream), 2000))] = rng.randrange(256)
        with connect(scp) as connection:
            try:
                connection.sendall(bytes(stream[: rng.randrange(len(stream))]))
            except ConnectionError:
                continue

    def answers() -> bool:
        # On a busy machine some of the forty still wait to be accepted when the last one has gone.
        try:
            return associations(scp) == 0 and echo(settings, ourselves) >= 0
        except PeerError:
            return False

    assert wait_until(answers, 20)
    assert echo(settings, ourselves) < 3
    assert len(stored(database)) <= 40


def test_a_hundred_associations_at_once(
    start_scp: Callable[..., StorageScp], database: Database, tmp_path: Path
) -> None:
    """A few are served, the rest is told that we are busy; afterwards everything goes through."""
    settings = make_settings(tmp_path / "clinic", max_associations=8, timeout_seconds=10.0)
    scp = start_scp(settings)
    peer = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    source = real_file("JPEG2000.dcm")
    study = generate_uid()
    files = [variant(source, tmp_path / f"{number}.dcm", study, number) for number in range(100)]
    waiting, rejected, highest = list(files), [], [0]
    lock = threading.Lock()

    def send(file: Path) -> None:
        try:
            outcomes = list(store(settings, peer, [file]))
        except PeerError as error:
            with lock:
                rejected.append(str(error))
            return
        with lock:
            highest[0] = max(highest[0], associations(scp))
            assert [one.error for one in outcomes] == [None]
            waiting.remove(file)

    for round_ in range(30):
        threads = [threading.Thread(target=send, args=(file,)) for file in list(waiting)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if round_ == 0:
            assert rejected
        if not waiting:
            break
    assert waiting == []
    assert len(stored(database)) == 100
    assert highest[0] <= MAX_CONNECTIONS
    assert wait_until(lambda: associations(scp) == 0)


def test_sweep_removes_what_broken_connections_left(tmp_path: Path) -> None:
    old, new = tmp_path / "old.dcm", tmp_path / "new.dcm"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    assert sweep(tmp_path) == 1
    assert not old.exists()
    assert new.exists()
