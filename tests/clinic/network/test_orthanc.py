"""A real PACS: Orthanc 1.10 with its DICOMweb plugin (``apt-get install orthanc orthanc-dicomweb``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import OutboxItem, StoredImage
from myosono.clinic.network.dicomweb import DicomWeb
from myosono.clinic.network.fetch import fetch_study
from myosono.clinic.network.node import Node
from myosono.clinic.network.query import StudyQuery
from myosono.clinic.network.scu import echo, find
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer, SendRule
from myosono.errors import PeerError

from .conftest import make_settings, muscle_dicom, real_file, wait_until
from .peers import PASSWORD, USER, Orthanc, free_port

KINDS = ("sr", "capture", "pdf")
CLASSES = {
    "sr": "1.2.840.10008.5.1.4.1.1.88.33",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
}


@pytest.fixture(scope="module")
def our_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, our_port: int) -> Iterator[Orthanc]:
    pacs = Orthanc(tmp_path_factory.mktemp("orthanc"), {"MYOSONO": ("MYOSONO", our_port)})
    pacs.start()
    yield pacs
    pacs.stop()


@pytest.fixture
def peer(orthanc: Orthanc) -> Peer:
    return Peer(
        name="orthanc", port=orthanc.dicom_port, ae_title="ORTHANC", dicomweb=orthanc.dicomweb, user=USER,
        password=PASSWORD,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, peer: Peer, our_port: int) -> ClinicSettings:
    return make_settings(tmp_path / "clinic", port=our_port, peers=(peer,), timeout_seconds=20.0)


@pytest.fixture
def database(settings: ClinicSettings) -> Iterator[Database]:
    opened = Database(settings)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def study(tmp_path: Path, settings: ClinicSettings, peer: Peer) -> str:
    """A study of three images that Orthanc has."""
    uid = generate_uid()
    files = [muscle_dicom(tmp_path / f"{number}.dcm", uid, number, patient="王^小明") for number in range(3)]
    assert [one.error for one in store(settings, peer, files)] == [None] * 3
    return uid


def images(database: Database) -> list[StoredImage]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(StoredImage).order_by(StoredImage.id)))


def unsent(database: Database) -> list[OutboxItem]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(OutboxItem).where(OutboxItem.status != "sent")))


def test_echo_both_ways(settings: ClinicSettings, database: Database, peer: Peer, orthanc: Orthanc) -> None:
    assert echo(settings, peer) < 5
    node = Node(settings, database, worker=False)
    node.start()
    try:
        assert orthanc.ask("/modalities/MYOSONO/echo", {}) == {}
    finally:
        node.stop()


def test_find_by_c_find_and_by_qido(settings: ClinicSettings, peer: Peer, study: str) -> None:
    query = StudyQuery(study_uid=study)
    [by_dimse] = find(settings, peer, query)
    [by_web] = DicomWeb(settings, peer).find(query)
    for found in (by_dimse, by_web):
        assert found.study_uid == study
        assert found.patient_name == "王^小明"
        assert found.patient_id == "P-1"
        assert found.accession == "A-1"
        assert found.instances == 3
    assert by_dimse.modalities == by_web.modalities == ("US",)
    assert find(settings, peer, StudyQuery(study_uid=study, modality="CT")) == []


def test_find_stops_at_the_limit(settings: ClinicSettings, peer: Peer, tmp_path: Path) -> None:
    for number in range(3):
        list(store(settings, peer, [muscle_dicom(tmp_path / f"m{number}.dcm", generate_uid(), number)]))
    assert len(find(settings, peer, StudyQuery(patient_id="P-1", limit=2))) == 2


@pytest.mark.parametrize("via", ["get", "dicomweb"])
def test_fetch(settings: ClinicSettings, database: Database, peer: Peer, study: str, via: Any) -> None:
    fetched = fetch_study(settings, database, peer, study, via=via)
    assert (fetched.images, fetched.new, fetched.problems) == (3, 3, ())
    assert {image.status for image in images(database)} == {"pending"}
    again = fetch_study(settings, database, peer, study, via=via)
    assert (again.images, again.new) == (3, 0)
    assert len(images(database)) == 3


def test_fetch_by_c_move_arrives_at_our_node(
    settings: ClinicSettings, database: Database, peer: Peer, study: str
) -> None:
    node = Node(settings, database, worker=False)
    node.start()
    try:
        fetched = fetch_study(settings, database, peer, study, via="move")
        assert fetched.images == 3
        assert len(images(database)) == 3
    finally:
        node.stop()


def test_fetch_of_an_unknown_study_says_so(settings: ClinicSettings, database: Database, peer: Peer) -> None:
    for via in ("get", "dicomweb"):
        with pytest.raises(PeerError, match=r"orthanc has no ultrasound image.*pacs find"):
            fetch_study(settings, database, peer, generate_uid(), via=via)  # type: ignore[arg-type]


def test_reports_in_the_study_are_left_there(
    settings: ClinicSettings, database: Database, peer: Peer, study: str, tmp_path: Path
) -> None:
    report = dcmread(real_file("reportsi.dcm"))
    report.StudyInstanceUID = study
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    report.save_as(tmp_path / "report.dcm")
    assert [one.error for one in store(settings, peer, [tmp_path / "report.dcm"])] == [None]
    for via in ("get", "dicomweb"):
        fetched = fetch_study(settings, database, peer, study, via=via)  # type: ignore[arg-type]
        assert (fetched.images, fetched.left, fetched.problems) == (3, 1, ())


def test_wrong_password_is_named(settings: ClinicSettings, peer: Peer) -> None:
    with pytest.raises(PeerError, match=r"HTTP 401.*user and password"):
        DicomWeb(settings, peer.model_copy(update={"password": "wrong"})).find(StudyQuery())


@pytest.mark.parametrize("via", ["dimse", "dicomweb"])
@pytest.mark.end_to_end
def test_round_trip(
    settings: ClinicSettings, database: Database, peer: Peer, orthanc: Orthanc, tmp_path: Path, via: Any
) -> None:
    """Store → read by itself → SR, capture and PDF appear in the study in Orthanc → fetched through DICOMweb."""
    rule = SendRule(to="orthanc", objects=KINDS, via=via)
    pacs = settings.pacs.model_copy(update={"rules": (rule,), "quiet_seconds": 1.0})
    settings = settings.model_copy(update={"pacs": pacs})
    uid = generate_uid()
    files = [muscle_dicom(tmp_path / f"{number}.dcm", uid, number, patient="王^小明") for number in range(3)]
    node = Node(settings, database)
    node.start()
    try:
        ourselves = Peer(name="node", port=node.port, ae_title="MYOSONO")
        assert [one.error for one in store(settings, ourselves, files)] == [None] * 3
        assert wait_until(lambda: len(orthanc.instances(uid)) >= 3, 120), unsent(database)
        assert wait_until(lambda: not unsent(database), 20)
    finally:
        node.stop()
    objects = orthanc.instances(uid)
    assert len(objects) == 3
    assert {one["PatientID"] for one in objects} == {"P-1"}
    assert {one["PatientName"] for one in objects} == {"王^小明"}
    assert {one["Modality"] for one in objects} >= {"SR", "DOC"}
    service = DicomWeb(settings, peer)
    fetched = [dcmread_bytes(service.retrieve(uid, one)) for one in service.instances(uid)]
    classes = {str(one.SOPClassUID) for one in fetched}
    assert set(CLASSES.values()) <= classes
    [report] = [one for one in fetched if one.SOPClassUID == CLASSES["sr"]]
    referenced = {
        str(item.ReferencedSOPInstanceUID)
        for request in report.CurrentRequestedProcedureEvidenceSequence
        for series in request.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert referenced == {image.sop_instance_uid for image in images(database)}
    [pdf] = [one for one in fetched if one.SOPClassUID == CLASSES["pdf"]]
    assert pdf.EncapsulatedDocument.startswith(b"%PDF")
    check_own_results_are_not_read(settings, database, peer, uid, files)


def check_own_results_are_not_read(
    settings: ClinicSettings, database: Database, peer: Peer, uid: str, files: list[Path]
) -> None:
    """The heat maps are of a class that we read, and must not come back as images of the study."""
    assert [one.error for one in store(settings, peer, files)] == [None] * 3
    for via in ("get", "dicomweb"):
        fetched = fetch_study(settings, database, peer, uid, via=via)  # type: ignore[arg-type]
        assert (fetched.images, fetched.new, fetched.left, fetched.problems) == (3, 0, 3, ())
    assert len(images(database)) == 3


def dcmread_bytes(data: bytes) -> Any:
    from io import BytesIO

    return dcmread(BytesIO(data))


@pytest.mark.end_to_end
def test_pacs_that_is_away_gets_its_results_later(
    settings: ClinicSettings, database: Database, orthanc: Orthanc, tmp_path: Path
) -> None:
    from myosono.clinic.network import outbox
    from myosono.clinic.network.sender import Sender
    from myosono.clinic.network.storing import store as send_files

    uid = generate_uid()
    node = Node(settings, database, worker=False)
    node.start()
    try:
        ourselves = Peer(name="node", port=node.port, ae_title="MYOSONO")
        list(send_files(settings, ourselves, [muscle_dicom(tmp_path / "1.dcm", uid, 1)]))
    finally:
        node.stop()
    orthanc.stop()
    with database.session() as session:
        outbox.enqueue(session, images(database)[0].study_id, "images", "orthanc", "dimse", "test")
        outbox.enqueue(session, images(database)[0].study_id, "images", "orthanc", "dicomweb", "test")
    sender = Sender(settings, database)
    assert sender.run_once() == 2
    waiting = unsent(database)
    assert {item.status for item in waiting} == {"waiting"}
    assert all("cannot be reached" in str(item.error) for item in waiting)
    orthanc.start()
    with database.session() as session:
        for item in waiting:
            outbox.retry(session, item.id, "test")
    assert sender.run_once() == 2
    assert unsent(database) == []
    assert len(orthanc.instances(uid)) == 1
