"""Uploads: one study, unless names or headers say otherwise; what is not taken is listed with its reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select

from myosono.clinic.database.models import StoredImage, Study
from myosono.clinic.files.store import FileStore
from myosono.clinic.files.uploads import UploadOutcome, new_upload, receive_upload
from myosono.clinic.settings import UploadLimits
from myosono.errors import DiskFullError, UploadError
from myosono.imaging import save_result


@pytest.fixture
def send(database, store, tmp_path) -> Callable[..., UploadOutcome]:
    def sent(data: bytes, name: str, upload: str = "u1", **given: str) -> UploadOutcome:
        path = tmp_path / "body"
        path.write_bytes(data)
        return receive_upload(database, store, path, name, upload=upload, sender="ada", **given)

    return sent


def ultrasound() -> Path:
    """A real DICOM image that pydicom brings."""
    path = get_testdata_file("US1_UNCR.dcm", download=False)
    if path is None:
        pytest.skip("pydicom's test file US1_UNCR.dcm is not installed")
    return Path(path)


def packed(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_files_sent_together_are_one_study(send, make_muscle) -> None:
    outcomes = [send(make_muscle(seed), f"visit/image{seed}.png") for seed in range(3)]
    assert len({one.study_id for outcome in outcomes for one in outcome.accepted}) == 1
    other = send(make_muscle(9), "image.png", upload=new_upload())
    assert other.accepted[0].study_id != outcomes[0].accepted[0].study_id


def test_names_part_patients(send, database, make_muscle) -> None:
    names = ("P001_RD_1.png", "P002_RD_1.png", "x/P001_LB_1.png", "holiday.png")
    outcome = send(packed({name: make_muscle(seed) for seed, name in enumerate(names)}), "all.zip")
    assert [one.name for one in outcome.accepted] == [f"all.zip/{name}" for name in names]
    first, second, third, fourth = (one.study_id for one in outcome.accepted)
    assert first == third
    assert len({first, second, fourth}) == 3
    with database.session(writes=False) as session:
        assert [study.patient_id for study in session.scalars(select(Study).order_by(Study.id))] == ["P001", "P002", ""]


def test_dicom_goes_by_its_header(send, database, make_muscle) -> None:
    path = ultrasound()
    outcome = send(packed({"a.dcm": path.read_bytes(), "b.png": make_muscle(1)}), "all.zip")
    assert len({one.study_id for one in outcome.accepted}) == 2


def without_study(patient: str, number: int) -> bytes:
    """A DICOM image whose Study Instance UID an anonymiser took away."""
    path = ultrasound()
    dataset = dcmread(path)
    del dataset.StudyInstanceUID
    dataset.PatientID, dataset.SOPInstanceUID = patient, f"1.2.840.6.{number}"
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_headers_without_a_study_are_parted_by_their_patient(send, database) -> None:
    members = {f"IM{n:04d}.dcm": without_study(patient, n) for n, patient in enumerate(("A", "B", "A"))}
    studies = [one.study_id for one in send(packed(members), "all.zip").accepted]
    assert studies[0] == studies[2] != studies[1]
    with database.session(writes=False) as session:
        assert [study.patient_id for study in session.scalars(select(Study).order_by(Study.id))] == ["A", "B"]


def test_an_image_of_another_patient_is_refused_and_the_others_are_taken(send) -> None:
    path = ultrasound()
    members = {}
    for number, patient in enumerate(("A", "B", "A")):
        dataset = dcmread(path)
        dataset.StudyInstanceUID = "1.2.840.7"
        dataset.PatientID, dataset.SOPInstanceUID = patient, f"1.2.840.7.{number}"
        stream = io.BytesIO()
        dataset.save_as(stream)
        members[f"{number}.dcm"] = stream.getvalue()
    outcome = send(packed(members), "all.zip")
    assert [one.name for one in outcome.accepted] == ["all.zip/0.dcm", "all.zip/2.dcm"]
    assert [one.name for one in outcome.refused] == ["all.zip/1.dcm"]
    assert "'B', its study has images of 'A'" in outcome.refused[0].reason


def test_images_can_be_added_to_a_study(send, database, make_muscle) -> None:
    (first,) = send(make_muscle(1), "a.png").accepted
    with database.session(writes=False) as session:
        uid = session.get(Study, first.study_id).study_uid
    (second,) = send(make_muscle(2), "b.png", upload="later", study_uid=uid).accepted
    assert second.study_id == first.study_id


def test_what_is_left_out_is_listed(send, make_muscle) -> None:
    members = {
        "a/P001_RD_1.png": make_muscle(1),
        "a/readme.txt": b"hello",
        "__MACOSX/a/._P001_RD_1.png": b"x",
        "a/.DS_Store": b"x",
        "DICOMDIR": b"x",
        "a/Thumbs.db": b"x",
        "broken.png": b"",
    }
    outcome = send(packed(members), "study.zip")
    assert [one.name for one in outcome.accepted] == ["study.zip/a/P001_RD_1.png"]
    assert {one.name.removeprefix("study.zip/") for one in outcome.skipped} == {
        "__MACOSX/a/._P001_RD_1.png", "a/.DS_Store", "DICOMDIR", "a/Thumbs.db",
    }  # fmt: skip
    assert {one.name.removeprefix("study.zip/"): one.reason for one in outcome.refused}.keys() == {
        "a/readme.txt",
        "broken.png",
    }
    assert any("text" in one.reason for one in outcome.refused)


def test_a_hostile_archive_is_refused_with_the_member(send, database, make_muscle) -> None:
    outcome = send(packed({"ok.png": make_muscle(1), "../../evil.png": make_muscle(2)}), "study.zip")
    assert outcome.accepted == ()
    assert [(one.name, "points out" in one.reason) for one in outcome.refused] == [("study.zip/../../evil.png", True)]
    with database.session(writes=False) as session:
        assert session.scalars(select(StoredImage)).all() == []


def test_sent_again_nothing_is_taken_twice(send, make_muscle) -> None:
    data = packed({f"{seed}.png": make_muscle(seed) for seed in range(30)})
    assert [one.new for one in send(data, "s.zip").accepted] == [True] * 30
    assert [one.new for one in send(data, "s.zip").accepted] == [False] * 30


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "", "a\0.png", "..\\x.png"])
def test_a_name_that_points_somewhere_is_refused(send, make_muscle, name: str) -> None:
    with pytest.raises(UploadError, match="no name of an uploaded file"):
        send(make_muscle(1), name)


def test_a_full_disk_is_told_apart(database, settings, tmp_path, make_muscle) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(make_muscle(1))
    full = FileStore(settings.model_copy(update={"uploads": UploadLimits(free_bytes=2**60)}))
    with pytest.raises(DiskFullError):
        receive_upload(database, full, path, "a.png", upload="u", sender="ada")


def test_nothing_is_left_of_unpacking(send, store, make_muscle) -> None:
    send(packed({"a.png": make_muscle(1)}), "s.zip")
    assert [path.name for path in store.root.iterdir() if path.name.startswith(".")] == []


def test_a_heat_map_of_ours_is_no_image_of_the_patient(send, make_muscle) -> None:
    drawn = io.BytesIO()
    save_result(Image.open(io.BytesIO(make_muscle(1))), drawn)
    outcome = send(packed({"P001_RD_1.png": make_muscle(1), "P001_RD_1_heat.png": drawn.getvalue()}), "out.zip")
    assert [one.name for one in outcome.accepted] == ["out.zip/P001_RD_1.png"]
    (refused,) = outcome.refused
    assert "a result that myosono made" in refused.reason
