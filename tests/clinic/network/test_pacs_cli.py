"""`myosono pacs` as a user types it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select

from myosono.cli.main import main
from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import Study
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer

from .conftest import muscle_dicom
from .peers import DcmtkArchive, free_port, wait_for_port


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Myosono = Callable[..., Done]


@pytest.fixture
def myosono(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Myosono:
    """The command line in this process."""

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["myosono", "pacs", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


def answer(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def our_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, our_port: int) -> Iterator[DcmtkArchive]:
    started = DcmtkArchive(tmp_path_factory.mktemp("dcmtk"), our_port)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def data(tmp_path: Path, our_port: int, archive: DcmtkArchive) -> Path:
    folder = tmp_path / "clinic"
    folder.mkdir()
    (folder / "clinic.toml").write_text(
        f"[uploads]\nfree_bytes = 0\n[pacs]\nport = {our_port}\n"
        f'[[pacs.peers]]\nname = "archive"\nport = {archive.port}\nae_title = "ARCHIVE"\n'
        f'[[pacs.peers]]\nname = "gone"\nport = {free_port()}\n'
    )
    return folder


def test_echo_exits_with_one_if_a_peer_is_away(data: Path, myosono: Myosono) -> None:
    done = myosono("echo", "--data", data, "--json")
    assert done.returncode == 1
    rows = {row["peer"]: row for row in json.loads(done.stdout)}
    assert rows["archive"]["ok"]
    assert rows["archive"]["echo"].endswith(" ms")
    assert "cannot be reached" in rows["gone"]["echo"]
    assert answer(myosono("echo", "archive", "--data", data, "--json"))[0]["dicomweb"] == "-"


def test_find_fetch_and_status(
    data: Path, settings: ClinicSettings, archive: DcmtkArchive, tmp_path: Path, myosono: Myosono
) -> None:
    uid = generate_uid()
    peer = Peer(name="archive", port=archive.port, ae_title="ARCHIVE")
    list(store(settings, peer, [muscle_dicom(tmp_path / f"{number}.dcm", uid, number) for number in (1, 2)]))
    # dcmqrscp keeps no ModalitiesInStudy, so nothing is asked of it.
    found = answer(myosono("find", "archive", "--study-uid", uid, "--modality", "", "--data", data, "--json"))
    assert [one["study_uid"] for one in found] == [uid]
    table = myosono("find", "archive", "--study-uid", uid, "--modality", "", "--data", data)
    assert "P-1" in table.stdout
    fetched = answer(myosono("fetch", "archive", uid, "--data", data, "--json"))
    assert (fetched[0]["images"], fetched[0]["new"], fetched[0]["left"]) == (2, 2, 0)
    status = answer(myosono("status", "--data", data, "--json"))
    assert status["images"] == {"pending": 2}
    assert status["studies"] == 1
    assert status["listening"] is False
    assert "2 pending" in myosono("status", "--data", data).stdout


def test_send_by_study_uid(
    data: Path, settings: ClinicSettings, scp: StorageScp, tmp_path: Path, myosono: Myosono
) -> None:
    uid = generate_uid()
    ourselves = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    list(store(settings, ourselves, [muscle_dicom(tmp_path / "1.dcm", uid, 1)]))
    sent = answer(myosono("send", uid, "--to", "archive", "--object", "images", "--data", data, "--json"))
    assert [(row["kind"], row["status"]) for row in sent] == [("images", "sent")]
    away = myosono("send", uid, "--to", "gone", "--object", "images", "--data", data)
    assert away.returncode == 1
    status = answer(myosono("status", "--data", data, "--json"))
    assert [(row["peer"], row["status"]) for row in status["outbox"]] == [("gone", "waiting")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("find", "nowhere"), "no PACS is called 'nowhere'"),
        (("fetch", "gone", "1.2.3"), "cannot be reached"),
        (("find", "archive", "--via", "dicomweb"), "has no DICOMweb address"),
        (("send", "99", "--to", "archive"), "there is no study 99"),
        (("send", "99", "--to", "archive", "--object", "film"), "there is no study 99"),
    ],
)
def test_errors_are_one_line_with_a_remedy(
    data: Path, arguments: tuple[str, ...], message: str, myosono: Myosono
) -> None:
    done = myosono(*arguments, "--data", data)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("status",), ("fetch", "A@127.0.0.1:9", "1.2"), ("send", "1", "--to", "A@127.0.0.1:9")]
)
def test_a_mistyped_folder_is_said_and_not_made(tmp_path: Path, arguments: tuple[str, ...], myosono: Myosono) -> None:
    done = myosono(*arguments, "--data", tmp_path / "mistyped")
    assert done.returncode == 1
    assert "no clinic here" in done.stderr
    assert not (tmp_path / "mistyped").exists()


def test_listen_receives_reads_and_stops_on_sigterm(
    data: Path, our_port: int, settings: ClinicSettings, tmp_path: Path, myosono: Myosono
) -> None:
    command = [sys.executable, "-m", "myosono.cli", "pacs", "listen", "--data", str(data), "--ae-title", "CLINIC"]
    node = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_port(our_port, node, 60)  # type: ignore[arg-type]
        peer = Peer(name="node", port=our_port, ae_title="CLINIC")
        file = muscle_dicom(tmp_path / "1.dcm", generate_uid(), 1)
        assert [one.error for one in store(settings, peer, [file])] == [None]
        assert answer(myosono("status", "--data", data, "--json"))["listening"] is True
    finally:
        node.send_signal(signal.SIGTERM)
        out, err = node.communicate(timeout=60)
    assert node.returncode == 0, err
    assert "CLINIC listens on" in out
    assert "Traceback" not in err
    database = Database(settings)
    with database.session(writes=False) as session:
        assert len(session.scalars(select(Study)).all()) == 1
    database.close()


def test_status_looks_where_listen_was_told_to_listen(data: Path, myosono: Myosono) -> None:
    """A node started with `--port` had been called "not running"."""
    with socket.create_server(("127.0.0.1", 0)) as node:
        port = str(node.getsockname()[1])
        found = answer(myosono("status", "--data", data, "--port", port, "--json"))
        assert (found["port"], found["listening"]) == (int(port), True)
        assert answer(myosono("status", "--data", data, "--json"))["listening"] is False
    assert "setting pacs.port" in myosono("status", "--data", data, "--port", "-1").stderr


def test_the_database_of_the_environment_is_used_as_by_serve(
    tmp_path: Path, myosono: Myosono, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/serve.md has it; images had gone into a SQLite file that no reading room looked at."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    shared = Database(ClinicSettings(data=tmp_path / "clinic", database_url=url))
    upgrade(shared)
    with shared.session() as session:
        session.add(Study(study_uid="1.2.3", source="dicom"))
    shared.close()
    monkeypatch.setenv("MYOSONO_DATABASE_URL", url)
    assert answer(myosono("status", "--data", tmp_path / "clinic", "--json"))["studies"] == 1
    assert myosono("send", "1.2.3", "--to", "A@127.0.0.1:9", "--data", tmp_path / "clinic").returncode == 1
    assert "cannot be reached" in myosono("fetch", "A@127.0.0.1:9", "1.2", "--data", tmp_path / "clinic").stderr
    assert not (tmp_path / "clinic" / "clinic.db").exists()
