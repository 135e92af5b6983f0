"""DCMTK as the other side: its tools call us, and we call its archive (``apt-get install dcmtk``)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem, StoredImage
from myosono.clinic.network import outbox
from myosono.clinic.network.fetch import fetch_study
from myosono.clinic.network.query import StudyQuery
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.scu import echo, find, instances
from myosono.clinic.network.sender import Sender
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.clinic.work.reader import StudyReader
from myosono.clinic.work.worker import Worker

from .conftest import make_settings, muscle_dicom, real_file
from .peers import DcmtkArchive, dcmtk, free_port, wait_for_port
from .test_scp import stored

PROPOSED = {
    "explicit little endian": ("US1_UNCI.dcm", "-xe"),
    "implicit little endian": ("gdcm-US-ALOKA-16.dcm", "-xi"),
    "explicit big endian": ("ExplVR_BigEnd.dcm", "-xb"),
    "deflated": ("image_dfl.dcm", "-xd"),
    "RLE": ("OBXXXX1A_rle.dcm", "-xr"),
    "JPEG baseline, cine": ("examples_ybr_color.dcm", "-xy"),
    "JPEG lossless": ("JPGLosslessP14SV1_1s_1f_8b.dcm", "-xs"),
    "JPEG extended": ("JPEG-lossy.dcm", "-xx"),
    "JPEG-LS near-lossless": ("JPEGLSNearLossless_08.dcm", "-xu"),
    "JPEG 2000": ("US1_J2KI.dcm", "-xw"),
    "JPEG 2000 lossless": ("US1_J2KR.dcm", "-xv"),
}


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
def peer(archive: DcmtkArchive) -> Peer:
    return Peer(name="archive", port=archive.port, ae_title="ARCHIVE")


@pytest.fixture
def settings(tmp_path: Path, our_port: int, peer: Peer) -> ClinicSettings:
    return make_settings(tmp_path / "clinic", port=our_port, peers=(peer,), timeout_seconds=15.0)


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([dcmtk(tool), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def test_echoscu(scp: StorageScp) -> None:
    done = run("echoscu", "-aec", "MYOSONO", "127.0.0.1", str(scp.port))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "syntax"), PROPOSED.values(), ids=PROPOSED.keys())
def test_storescu(scp: StorageScp, database: Database, name: str, syntax: str) -> None:
    path = real_file(name)
    done = run("storescu", "-v", syntax, "-aec", "MYOSONO", "127.0.0.1", str(scp.port), path)
    assert done.returncode == 0, done.stderr
    assert "0x0000" in done.stdout + done.stderr or "Success" in done.stdout + done.stderr
    [image] = stored(database)
    assert image.sop_instance_uid == str(dcmread(path).SOPInstanceUID)


@pytest.mark.parametrize("pdu", ["4096", "16384", "131072"])
def test_storescu_with_small_and_large_pdus(
    scp: StorageScp, database: Database, settings: ClinicSettings, pdu: str
) -> None:
    path = real_file("OBXXXX1A.dcm")
    done = run("storescu", "-xe", "-pdu", pdu, "-aec", "MYOSONO", "127.0.0.1", str(scp.port), path)
    assert done.returncode == 0, done.stderr
    [image] = stored(database)
    assert dcmread(settings.files / image.file).PixelData == dcmread(path).PixelData


def test_echo_store_find_and_fetch(
    scp: StorageScp, settings: ClinicSettings, database: Database, peer: Peer, tmp_path: Path
) -> None:
    """C-ECHO, C-STORE, C-FIND, C-GET and C-MOVE with us as the caller."""
    uid = generate_uid()
    files = [muscle_dicom(tmp_path / f"{number}.dcm", uid, number) for number in range(3)]
    assert echo(settings, peer) < 5
    assert [one.error for one in store(settings, peer, files)] == [None] * 3
    [found] = find(settings, peer, StudyQuery(study_uid=uid))
    assert (found.patient_id, found.study_date) == ("P-1", "20261123")
    assert len(instances(settings, peer, uid)) == 3
    fetched = fetch_study(settings, database, peer, uid, via="get")
    assert (fetched.images, fetched.new, fetched.problems) == (3, 3, ())
    moved = fetch_study(settings, database, peer, uid, via="move")
    assert (moved.images, moved.problems) == (3, ())
    assert len(stored(database)) == 3


def test_movescu_sends_a_study_to_us(
    scp: StorageScp, settings: ClinicSettings, database: Database, peer: Peer, tmp_path: Path
) -> None:
    uid = generate_uid()
    list(store(settings, peer, [muscle_dicom(tmp_path / "1.dcm", uid, 1)]))
    done = run(
        "movescu", "-S", "-aec", "ARCHIVE", "-aet", "MYOSONO", "-aem", "MYOSONO", "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={uid}", "127.0.0.1", str(peer.port),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(stored(database)) == 1


@pytest.mark.end_to_end
def test_results_arrive_and_dsrdump_reads_the_report(
    settings: ClinicSettings, database: Database, study_reader: StudyReader, archive: DcmtkArchive, peer: Peer,
    scp: StorageScp, tmp_path: Path,
) -> None:  # fmt: skip
    uid = generate_uid()
    ourselves = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    list(store(settings, ourselves, [muscle_dicom(tmp_path / "1.dcm", uid, 1)]))
    assert Worker(settings, database=database, reader=study_reader).run_once()
    with database.session() as session:
        study_id = session.scalars(select(StoredImage.study_id)).one()
        for kind in ("sr", "capture", "pdf"):
            outbox.enqueue(session, study_id, kind, "archive", "dimse", "test")
    Sender(settings, database).run_once()
    with database.session(writes=False) as session:
        assert {(item.kind, item.status, item.error) for item in session.scalars(select(OutboxItem))} == {
            (kind, "sent", None) for kind in ("sr", "capture", "pdf")
        }
    kept = [path for path in (archive.folder / "storage").iterdir() if path.name != "index.dat"]
    [report] = [path for path in kept if is_report(path, uid)]
    done = run("dsrdump", report)
    assert done.returncode == 0, done.stderr
    assert "Imaging Measurement Report" in done.stdout


def is_report(path: Path, study_uid: str) -> bool:
    dataset: Any = dcmread(path, stop_before_pixels=True, force=True)
    return dataset.get("StudyInstanceUID") == study_uid and dataset.Modality == "SR"


@pytest.mark.slow
def test_large_cine_is_not_held_in_memory(tmp_path: Path) -> None:
    """A node of its own, so that its peak memory is its own too."""
    port = free_port()
    data = tmp_path / "clinic"
    data.mkdir()
    (data / "clinic.toml").write_text(f"[uploads]\nfree_bytes = 0\n[pacs]\nport = {port}\n")
    cine = dcmread(muscle_dicom(tmp_path / "cine.dcm", generate_uid(), 1))
    cine.SOPClassUID = cine.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    cine.NumberOfFrames = 4000
    cine.PixelData = bytes(cine.Rows * cine.Columns) * 4000
    cine.save_as(tmp_path / "cine.dcm")
    size = (tmp_path / "cine.dcm").stat().st_size
    command = [sys.executable, "-m", "myosono.cli", "pacs", "listen", "--no-worker", "--data", str(data)]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, node, 60)
        before = peak_memory(node.pid)
        done = run("storescu", "-xe", "-aec", "MYOSONO", "127.0.0.1", str(port), tmp_path / "cine.dcm")
        assert done.returncode == 0, done.stderr
        assert peak_memory(node.pid) - before < size / 3
    finally:
        node.terminate()
        node.wait(30)
    assert size > 100e6


def peak_memory(process: int) -> int:
    """Bytes, of the largest that a process ever was."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("/proc is not there")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
