"""Intake: what a header or a name says, once each, in the right study."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import func, select

from myosono.clinic.database.models import AuditEntry, Event, StoredImage, Study
from myosono.errors import UploadError


def sample(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom's test file {name} is not installed")
    return Path(path)


def edited(tmp_path: Path, name: str = "US1_UNCR.dcm", **elements: object) -> bytes:
    dataset = dcmread(sample(name))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "edited.dcm")
    return (tmp_path / "edited.dcm").read_bytes()


def count(database, table) -> int:  # type: ignore[no-untyped-def]
    with database.session(writes=False) as session:
        return session.scalar(select(func.count()).select_from(table))


def test_a_dicom_header_describes_study_and_image(take, store, tmp_path) -> None:
    data = edited(
        tmp_path, StudyInstanceUID="1.2.840.1", SeriesInstanceUID="1.2.840.2", PatientID=" 4711 ",
        PatientName="Roe^Jane", PatientSex="F", PatientBirthDate="19600229", PatientAge="", StudyDate="20200301",
        AccessionNumber="A1", StudyDescription="Muscle", Manufacturer="Maker", ManufacturerModelName="One",
        Laterality="L",
    )  # fmt: skip
    image, study, new = take(data, "", source="dicom", sender="CART")
    assert new
    assert (study.study_uid, study.source, study.sender) == ("1.2.840.1", "dicom", "CART")
    assert (study.patient_id, study.patient_name, study.patient_sex) == ("4711", "Roe^Jane", "F")
    assert (study.patient_birth_date, study.patient_age) == (date(1960, 2, 29), 60.0)
    assert (study.accession, study.description, study.study_date) == ("A1", "Muscle", date(2020, 3, 1))
    assert (study.device, study.status) == ("Maker One", "receiving")
    assert (image.series_uid, image.side, image.status) == ("1.2.840.2", "L", "pending")
    assert image.sop_instance_uid == dcmread(sample("US1_UNCR.dcm"), stop_before_pixels=True).SOPInstanceUID
    assert store.path(image.file).read_bytes() == data
    assert image.file.endswith(".dcm")


def test_the_same_bytes_are_taken_once(database, take, make_muscle) -> None:
    first = take(make_muscle(1))
    again = take(make_muscle(1), "another name.png")
    assert (first.new, again.new) == (True, False)
    assert again.image.id == first.image.id
    assert (count(database, StoredImage), count(database, AuditEntry), count(database, Event)) == (1, 1, 1)


def test_the_same_bytes_in_another_study_are_another_image(take, make_muscle, store) -> None:
    first, second = take(make_muscle(1)), take(make_muscle(1), study_uid="1.2.4")
    assert second.new
    assert second.study.id != first.study.id
    assert second.image.file == first.image.file


def test_an_instance_that_comes_back_altered_is_not_read_twice(database, take, store, tmp_path) -> None:
    first = take(edited(tmp_path), "", source="dicom", sender="CART")
    back = take(edited(tmp_path, InstitutionName="Elsewhere"), "", source="dicom", sender="PACS")
    assert not back.new
    assert back.image.id == first.image.id
    with database.session(writes=False) as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last.user == "dicom:PACS"
    assert last.detail["duplicate_of"] == first.image.id
    assert store.path(last.detail["file"]).is_file()


def test_a_name_tells_patient_and_site(take, make_muscle) -> None:
    image, study, _ = take(make_muscle(1), "visit/P009_LFCR_2.png", study_uid=None)
    assert (study.patient_id, image.muscle, image.side, image.name) == ("P009", "FCR", "L", "visit/P009_LFCR_2.png")
    assert study.study_uid.startswith("2.25.")


def test_what_the_sender_states_comes_first(take, make_muscle) -> None:
    arrived = datetime(2024, 5, 1, tzinfo=UTC)
    given = {"patient_id": "X", "patient_sex": "M", "patient_age": 51.0, "description": "d", "arrived": arrived}
    image, study, _ = take(make_muscle(1), "P009_LB_1.png", **given)
    assert (study.patient_id, study.patient_sex, study.patient_age, study.description) == ("X", "M", 51.0, "d")
    assert image.received == study.arrived == arrived


def test_what_one_image_lacks_another_fills(take, make_muscle) -> None:
    take(make_muscle(1), "holiday.png")
    _, study, _ = take(make_muscle(2), "P009_LB_1.png")
    assert study.patient_id == "P009"


def test_a_new_image_opens_a_read_study_again_but_not_a_signed_one(database, take, make_muscle) -> None:
    for seed, (status, expected) in enumerate([("read", "receiving"), ("failed", "receiving"), ("signed", "signed")]):
        _, study, _ = take(make_muscle(seed))
        with database.session() as session:
            session.get(Study, study.id).status = status
        assert take(make_muscle(seed + 1000)).study.status == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello, clinic", "looks like text"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 50, "DICOM"),
    ],
)
def test_what_is_no_image_is_refused_by_name(database, take, store, data: bytes, reason: str) -> None:
    with pytest.raises(UploadError, match=reason) as caught:
        take(data, "folder/what.dat")
    assert str(caught.value).startswith("folder/what.dat: ")
    assert count(database, Study) == 0
    assert not store.root.exists() or not list(store.root.rglob("*.*"))


def test_dicom_without_an_image_is_refused(take) -> None:
    with pytest.raises(UploadError, match="without an image"):
        take(sample("reportsi.dcm").read_bytes(), "", source="dicom", sender="PACS")


@pytest.mark.parametrize("end", [132, 140, 200, 400, 1000])
def test_a_cut_header_is_refused(take, end: int) -> None:
    with pytest.raises(UploadError):
        take(sample("US1_UNCR.dcm").read_bytes()[:end], "", source="dicom", sender="CART")


def test_a_uid_that_is_none_is_not_believed(take, tmp_path) -> None:
    data = edited(tmp_path, StudyInstanceUID="1.2.3").replace(b"1.2.3\0", b"../x'\0")
    _, study, _ = take(data, "", source="dicom", sender="CART", study_uid=None)
    assert study.study_uid.startswith("2.25.")


def test_a_chinese_name_survives(take, tmp_path) -> None:
    data = edited(tmp_path, SpecificCharacterSet="ISO_IR 192", PatientName="王^小东=王^小东")
    assert "王^小东" in take(data, "", source="dicom", sender="CART").study.patient_name


def test_a_chinese_name_without_a_character_set_is_read_and_its_bytes_are_kept(take, store, tmp_path) -> None:
    """As scanners in China send it; in GBK the last byte of 誠 is that of a backslash."""
    raw = "王^誠".encode("gbk")
    data = edited(tmp_path, SpecificCharacterSet="", PatientName=raw.decode("latin-1"), PatientID="12\\34")
    image, study, _ = take(data, "", source="dicom", sender="CART")
    assert (study.patient_name, study.patient_id) == ("王^誠", "12\\34")
    assert raw in store.path(image.file).read_bytes()


def test_images_of_two_patients_never_become_one_study(database, take, tmp_path) -> None:
    first = edited(tmp_path, StudyInstanceUID="1.2.840.5", PatientID="A", SOPInstanceUID="1.2.840.5.1")
    _, study, _ = take(first, "", source="dicom", sender="CART")
    stranger = edited(tmp_path, StudyInstanceUID="1.2.840.5", PatientID="B", SOPInstanceUID="1.2.840.5.2")
    with pytest.raises(UploadError, match="'B', its study has images of 'A'"):
        take(stranger, "", source="dicom", sender="CART")
    silent = edited(tmp_path, StudyInstanceUID="1.2.840.5", PatientID="", SOPInstanceUID="1.2.840.5.3")
    assert take(silent, "", source="dicom", sender="CART").study.id == study.id
    assert (count(database, Study), count(database, StoredImage)) == (1, 2)


def test_images_of_two_people_without_an_id_are_not_one_study(take, tmp_path) -> None:
    """Only stated Patient IDs had been compared: name, birth date and ID of two people became one patient."""
    person = {"StudyInstanceUID": "1.2.9", "PatientID": "", "PatientName": "Zhang^San", "PatientBirthDate": "19500101"}
    take(edited(tmp_path, **person, PatientSex="M", SOPInstanceUID="1.2.9.1"), "", source="dicom", sender="CART")
    same = {**person, "PatientName": "ZHANG^SAN^^", "PatientID": "4711"}
    take(edited(tmp_path, **same, PatientSex="M", SOPInstanceUID="1.2.9.2"), "", source="dicom", sender="CART")
    other = {**person, "PatientName": "Li^Si", "PatientBirthDate": "19850101"}
    with pytest.raises(UploadError, match=r"names another patient .*\(name\)"):
        take(edited(tmp_path, **other, SOPInstanceUID="1.2.9.3"), "", source="dicom", sender="CART")
    born = {**person, "PatientBirthDate": "19500102"}
    with pytest.raises(UploadError, match=r"\(birth date\)"):
        take(edited(tmp_path, **born, SOPInstanceUID="1.2.9.4"), "", source="dicom", sender="CART")
