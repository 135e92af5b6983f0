from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.dsutils import split_dataset
from sqlalchemy import func, select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry, StoredImage, Study
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.classes import IMAGE_CLASSES, TRANSFER_SYNTAXES
from myosono.clinic.network.dimse import associate
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.scu import echo
from myosono.clinic.network.storing import store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import ClinicError, PeerError

from .conftest import REAL_FILES, make_settings, real_file, variant


def stored(database: Database) -> list[StoredImage]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(StoredImage).order_by(StoredImage.id)))


def dataset_bytes(path: Path) -> bytes:
    _, offset = split_dataset(path)
    return path.read_bytes()[offset:]


@pytest.mark.parametrize("name", REAL_FILES.values(), ids=REAL_FILES.keys())
def test_dataset_is_kept_byte_for_byte(
    name: str, settings: ClinicSettings, database: Database, ourselves: Peer
) -> None:
    path = real_file(name)
    [outcome] = store(settings, ourselves, [path])
    assert outcome.error is None
    [image] = stored(database)
    kept = FileStore(settings).path(image.file)
    # An odd end is padded on the wire (PS3.8 D.2).
    assert dataset_bytes(kept).rstrip(b"\0") == dataset_bytes(path).rstrip(b"\0")
    assert dcmread(kept).file_meta.TransferSyntaxUID == dcmread(path).file_meta.TransferSyntaxUID
    assert image.status == "pending"
    assert list((settings.data / "incoming").iterdir()) == []


def test_every_announced_class_and_syntax_is_accepted(settings: ClinicSettings, ourselves: Peer) -> None:
    for sop_class in IMAGE_CLASSES:
        contexts = [build_context(sop_class, syntax) for syntax in TRANSFER_SYNTAXES]
        with associate(settings, ourselves, contexts) as association:
            assert len(association.accepted_contexts) == len(TRANSFER_SYNTAXES)


def test_uncompressed_is_chosen_where_the_sender_leaves_the_choice(settings: ClinicSettings, ourselves: Peer) -> None:
    """Else a sender might compress for us, and lose what the network should see."""
    context = build_context(IMAGE_CLASSES[0], ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"])
    with associate(settings, ourselves, [context]) as association:
        assert association.accepted_contexts[0].transfer_syntax == ["1.2.840.10008.1.2.1"]


def test_reports_are_not_taken(settings: ClinicSettings, ourselves: Peer) -> None:
    with pytest.raises(PeerError, match="accepts none"):
        list(store(settings, ourselves, [real_file("reportsi.dcm")]))


def test_sending_twice_gives_one_image(
    settings: ClinicSettings, database: Database, ourselves: Peer, tmp_path: Path
) -> None:
    path = variant(real_file("US1_J2KR.dcm"), tmp_path / "a.dcm", generate_uid(), 1)
    for _ in range(3):
        assert [one.error for one in store(settings, ourselves, [path])] == [None]
    assert len(stored(database)) == 1


def test_sender_and_study_are_known(settings: ClinicSettings, database: Database, ourselves: Peer) -> None:
    list(store(settings, ourselves, [real_file("US1_J2KR.dcm")]))
    with database.session(writes=False) as session:
        study = session.scalars(select(Study)).one()
        assert (study.source, study.sender) == ("dicom", settings.pacs.ae_title)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "receive")).one()
        assert entry.user == f"dicom:{settings.pacs.ae_title}"


def test_strangers_are_rejected_where_callers_are_listed(
    start_scp: Callable[..., StorageScp], settings: ClinicSettings, tmp_path: Path
) -> None:
    scp = start_scp(make_settings(tmp_path / "clinic", allowed_ae=("CART1",)))
    peer = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    with pytest.raises(PeerError, match=r"rejected the association.*[Cc]alling"):
        echo(settings, peer)
    assert echo(make_settings(tmp_path / "cart", ae_title="CART1"), peer) < 3


def test_dataset_that_contradicts_its_announcement(
    settings: ClinicSettings, database: Database, ourselves: Peer, tmp_path: Path
) -> None:
    path = variant(real_file("US1_J2KR.dcm"), tmp_path / "a.dcm", generate_uid(), 1)
    dataset = dcmread(path)
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.save_as(path)
    [outcome] = store(settings, ourselves, [path])
    assert outcome.refused
    assert "0xA900" in str(outcome.error)
    assert stored(database) == []
    with database.session(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "refuse")).one()
        assert entry.detail["status"] == "0xA900"


def test_object_without_an_image_cannot_be_understood(
    settings: ClinicSettings, database: Database, ourselves: Peer, tmp_path: Path
) -> None:
    path = variant(real_file("US1_J2KR.dcm"), tmp_path / "a.dcm", generate_uid(), 1)
    dataset = dcmread(path)
    del dataset.PixelData, dataset.Rows, dataset.Columns
    dataset.save_as(path)
    [outcome] = store(settings, ourselves, [path])
    assert outcome.refused
    assert "0xC000" in str(outcome.error)
    assert stored(database) == []


def test_another_patient_under_the_same_study_is_refused(
    settings: ClinicSettings, database: Database, ourselves: Peer, tmp_path: Path
) -> None:
    study = generate_uid()
    paths = [variant(real_file("US1_J2KR.dcm"), tmp_path / f"{number}.dcm", study, number) for number in range(2)]
    for path, patient in zip(paths, ("A", "B"), strict=True):
        dataset = dcmread(path)
        dataset.PatientID = patient
        dataset.save_as(path)
    first, second = store(settings, ourselves, paths)
    assert first.error is None
    assert second.refused
    assert "0xC000" in str(second.error)
    assert len(stored(database)) == 1
    with database.session(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "refuse")).one()
        assert "Patient ID 'B'" in entry.detail["reason"]


def test_full_disk_tells_the_sender_to_come_again(
    start_scp: Callable[..., StorageScp], database: Database, tmp_path: Path
) -> None:
    roomy = make_settings(tmp_path / "clinic")
    full = roomy.model_copy(update={"uploads": roomy.uploads.model_copy(update={"free_bytes": 2**60})})
    path = variant(real_file("US1_J2KR.dcm"), tmp_path / "a.dcm", generate_uid(), 1)
    scp = start_scp(full)
    [outcome] = store(roomy, Peer(name="full", port=scp.port, ae_title="MYOSONO"), [path])
    assert "0xA700" in str(outcome.error)
    assert not outcome.refused
    assert stored(database) == []
    scp.stop()
    again = start_scp(roomy)
    [outcome] = store(roomy, Peer(name="roomy", port=again.port, ae_title="MYOSONO"), [path])
    assert outcome.error is None
    assert len(stored(database)) == 1


def test_database_gone_tells_the_sender_to_come_again(
    settings: ClinicSettings, database: Database, ourselves: Peer, tmp_path: Path
) -> None:
    path = variant(real_file("US1_J2KR.dcm"), tmp_path / "a.dcm", generate_uid(), 1)
    where = settings.data / "clinic.db"
    database.close()
    where.rename(tmp_path / "aside.db")
    where.mkdir()  # what cannot be opened as a database
    [outcome] = store(settings, ourselves, [path])
    assert "0xA700" in str(outcome.error)
    where.rmdir()
    (tmp_path / "aside.db").rename(where)
    [outcome] = store(settings, ourselves, [path])
    assert outcome.error is None
    assert len(stored(database)) == 1


def test_ten_senders_at_once_lose_nothing(
    start_scp: Callable[..., StorageScp], database: Database, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path / "clinic", max_associations=20, timeout_seconds=20.0)
    scp = start_scp(settings)
    peer = Peer(name="node", port=scp.port, ae_title="MYOSONO")
    source = real_file("JPEG2000.dcm")
    study = generate_uid()
    files = [variant(source, tmp_path / f"{number}.dcm", study, number) for number in range(40)]
    problems: list[str | None] = []

    def send(part: list[Path]) -> None:
        problems.extend(one.error for one in store(settings, peer, part))

    threads = [threading.Thread(target=send, args=(files[start::10],)) for start in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [None] * 40
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(StoredImage)) == 40
        assert session.scalar(select(func.count()).select_from(Study)) == 1


def test_taken_port_is_an_error_with_a_remedy(scp: StorageScp, database: Database, tmp_path: Path) -> None:
    with pytest.raises(ClinicError, match=r"cannot listen on .*pacs\.port"):
        StorageScp(make_settings(tmp_path / "other", port=scp.port), database).start()


def test_stopping_is_quick_and_frees_the_port(
    start_scp: Callable[..., StorageScp], settings: ClinicSettings, database: Database
) -> None:
    scp = start_scp(settings)
    port = scp.port
    begun = time.monotonic()
    scp.stop()
    assert time.monotonic() - begun < 3
    with pytest.raises(PeerError, match="cannot be reached"):
        echo(settings, Peer(name="gone", port=port))
