"""De-identification: nothing of the person is left, what is allowed stays, and the object is as valid as it was."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from myosono.anatomy import MUSCLES
from myosono.clinic.dicom import DeidentifyOptions, deidentify
from myosono.clinic.dicom.profile import Action, Secret, action_for
from myosono.errors import ClinicError, ImageError, UsageError
from myosono.imaging.dicom_site import read_site

from .sources import FILES, SALT, file_bytes, read, small_image, through_file


def dciodvfy_errors(dataset: Dataset, path: Path) -> set[str]:
    path.write_bytes(file_bytes(dataset))
    done = subprocess.run(
        ["/usr/bin/dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False
    )
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("name", FILES)
def test_it_adds_no_error_to_what_dciodvfy_says_of_the_source(name: str, tmp_path: Path) -> None:
    if shutil.which("dciodvfy", path="/usr/bin") is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    original = read(name)
    before = dciodvfy_errors(original, tmp_path / "before.dcm")
    for options in (DeidentifyOptions(SALT), DeidentifyOptions(SALT, True, None, True, True, True)):
        assert dciodvfy_errors(deidentify(original, options), tmp_path / "after.dcm") <= before


@pytest.mark.parametrize("muscle", MUSCLES)
@pytest.mark.parametrize("side", ["L", "R"])
def test_muscle_and_side_outlive_the_text_that_told_them(muscle: str, side: str) -> None:
    """The typed text goes, and with it had gone the site of every image of a shared set."""
    dataset = small_image()
    dataset.SeriesDescription = f"{side} {MUSCLES[muscle]} of Mrs Miller"
    assert read_site(dataset) == (muscle, side)
    cleaned = deidentify(dataset, DeidentifyOptions(SALT))
    assert read_site(through_file(cleaned)) == (muscle, side)
    assert "Miller" not in str(cleaned)


@pytest.mark.parametrize("name", FILES)
def test_no_identifier_of_a_real_file_is_left(name: str) -> None:
    original = read(name)
    written = file_bytes(deidentify(original, DeidentifyOptions(SALT)))
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientName", "PatientID", "StudyDate"):
        value = str(original.get(keyword) or "").encode()
        assert len(value) < 5 or value not in written, keyword
    assert not [one for one in dcmread(io.BytesIO(written)).iterall() if one.tag.is_private]


NAMED = st.text("QXZJ王小东", min_size=5, max_size=16)
TEXTS = (
    "StudyDescription", "SeriesDescription", "ImageComments", "OperatorsName", "InstitutionName", "TransducerData",
    "ProcessingFunction", "AdditionalPatientHistory", "StationName", "ProtocolName", "RequestingService",
    "DerivationDescription", "AccessionNumber", "OtherPatientIDs", "ReferringPhysicianName", "ManufacturerModelName",
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=NAMED,
    number=NAMED,
    where=st.lists(st.sampled_from(TEXTS), max_size=6),
    charset=st.sampled_from(["GB18030", "ISO_IR 192"]),
    nested=st.integers(0, 3),
    retain=st.booleans(),
    shift=st.booleans(),
)
def test_names_planted_anywhere_are_gone(
    name: str, number: str, where: list[str], charset: str, nested: int, retain: bool, shift: bool
) -> None:
    planted = small_image(SpecificCharacterSet=charset)
    planted.PatientName, planted.PatientID = f"{name}^A", number
    planted.PatientBirthDate = "19600229"
    target = planted
    for _ in range(nested):
        item = Dataset()
        target.ReferencedImageSequence = [item]
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = planted.SOPClassUID, "1.2.3.44444444"
        target = item
    for keyword in where:
        setattr(target, keyword, f"of {name}" if len(name) < 10 else name)
    block = target.private_block(0x0009, "SECRETS", create=True)
    block.add_new(1, "LO", number)
    target.add_new(0x60000022, "LO", name)  # overlay description
    target.add_new(0x00091099, "UN", name.encode("gb18030"))
    planted.file_meta.SourceApplicationEntityTitle = "HOSPITAL"
    planted.preamble = b"MRN 12345".ljust(128, b" ")
    source = through_file(planted)
    written = file_bytes(deidentify(source, DeidentifyOptions(SALT, retain_device=retain, shift_dates=shift)))
    for secret in (name, number, "1.2.3.44444444", "19600229", "HOSPITAL", "MRN 12345", "SECRETS"):
        for code in ("utf-8", "gb18030"):
            assert secret.encode(code) not in written
    assert source.PatientID == number, "the original is not changed"


def test_uids_are_new_and_consistent() -> None:
    first, second = small_image(SOPInstanceUID="1.2.3.4.1"), small_image(SOPInstanceUID="1.2.3.4.2")
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    second.SourceImageSequence = [reference]
    one, other = (deidentify(image, DeidentifyOptions(SALT)) for image in (first, second))
    assert one.StudyInstanceUID == other.StudyInstanceUID != first.StudyInstanceUID
    assert other.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert other.SourceImageSequence[0].ReferencedSOPClassUID == first.SOPClassUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert UID(one.SOPInstanceUID).is_valid
    stranger = deidentify(first, DeidentifyOptions(b"another secret, of another place"))
    assert stranger.SOPInstanceUID != one.SOPInstanceUID


def test_the_pseudonym_joins_a_patients_studies() -> None:
    images = [
        small_image(PatientID=number, PatientName=name) for number, name in (("17", "A"), ("17", "B"), ("18", "A"))
    ]
    one, same, other = (deidentify(image, DeidentifyOptions(SALT)).PatientID for image in images)
    assert one == same != other
    assert deidentify(small_image(PatientID="", PatientName=""), DeidentifyOptions(SALT)).PatientID == ""


def test_dates_are_removed_or_moved_together() -> None:
    image = small_image(PatientID="17", StudyDate="20240310", StudyTime="101112", SeriesDate="20240312",
                        AcquisitionDateTime="20240311101112.5", PatientBirthDate="19600229")  # fmt: skip
    removed = deidentify(image, DeidentifyOptions(SALT))
    assert (removed.StudyDate, removed.StudyTime, removed.PatientBirthDate) == ("", "", "")
    assert "SeriesDate" not in removed
    assert "AcquisitionDateTime" not in removed
    assert removed.LongitudinalTemporalInformationModified == "REMOVED"
    moved = deidentify(image, DeidentifyOptions(SALT, shift_dates=True))
    assert moved.StudyDate < "20240310"
    assert int(moved.SeriesDate) != 20240312
    assert np.datetime64(_iso(moved.SeriesDate)) - np.datetime64(_iso(moved.StudyDate)) == np.timedelta64(2, "D")
    assert moved.AcquisitionDateTime[8:] == "101112.5"
    assert (moved.StudyTime, moved.PatientBirthDate) == ("101112", "")
    assert moved.LongitudinalTemporalInformationModified == "MODIFIED"


def _iso(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def test_dates_that_cannot_be_moved_are_removed() -> None:
    image = through_file(small_image(PatientID="17"))
    image.AcquisitionDateTime = "2024"
    assert "AcquisitionDateTime" not in deidentify(image, DeidentifyOptions(SALT, shift_dates=True))


def test_options_keep_what_they_say_and_are_coded() -> None:
    image = small_image(
        PatientSex="F", PatientAge="066Y", DeviceSerialNumber="SN-1", StationName="ROOM4", ManufacturerModelName="HDI"
    )
    plain = deidentify(image, DeidentifyOptions(SALT))
    assert plain.PatientSex == ""
    assert not {"PatientAge", "DeviceSerialNumber", "StationName"} & set(plain.dir())
    assert plain.ManufacturerModelName == "HDI"
    assert [one.CodeValue for one in plain.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    assert (plain.PatientIdentityRemoved, plain.BurnedInAnnotation) == ("YES", "NO")
    kept = deidentify(image, DeidentifyOptions(SALT, retain_device=True, retain_characteristics=True, shift_dates=True))
    assert (kept.PatientSex, kept.PatientAge, kept.DeviceSerialNumber, kept.StationName) == (
        "F",
        "066Y",
        "SN-1",
        "ROOM4",
    )
    found = [one.CodeValue for one in kept.DeidentificationMethodCodeSequence]
    assert found == ["113100", "113101", "113107", "113108", "113109"]
    dirty = deidentify(image, DeidentifyOptions(SALT, clean_pixels=False))
    assert dirty.PixelData == image.PixelData
    assert "BurnedInAnnotation" not in dirty
    assert [one.CodeValue for one in dirty.DeidentificationMethodCodeSequence] == ["113100"]


def test_what_is_no_image_is_refused() -> None:
    report = Dataset()
    report.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.88.33")
    with pytest.raises(ClinicError, match="Comprehensive SR Storage without pixels"):
        deidentify(report, DeidentifyOptions(SALT))
    damaged = small_image(PixelData=b"\0" * 10)
    with pytest.raises(ImageError):
        deidentify(damaged, DeidentifyOptions(SALT))
    with pytest.raises(UsageError, match="5 bytes"):
        DeidentifyOptions(b"short")


def test_the_table_is_the_standards() -> None:
    expected = {
        (0x0010, 0x0010): Action.EMPTY,  # Patient's Name
        (0x0010, 0x0020): Action.EMPTY_OR_DUMMY,  # Patient ID
        (0x0008, 0x0018): Action.NEW_UID,  # SOP Instance UID
        (0x0008, 0x1030): Action.REMOVE,  # Study Description
        (0x0018, 0x1030): Action.REMOVE_OR_DUMMY,  # Protocol Name
        (0x0008, 0x0022): Action.REMOVE_OR_EMPTY,  # Acquisition Date
        (0x0008, 0x1140): Action.REFERENCES,  # Referenced Image Sequence
        (0x0040, 0xA730): Action.DUMMY,  # Content Sequence
    }
    from pydicom.tag import Tag

    assert {tag: action_for(Tag(tag)) for tag in expected} == expected
    assert action_for(Tag(0x6002, 0x3000)) is Action.REMOVE
    assert action_for(Tag(0x5004, 0x1001)) is Action.REMOVE
    assert action_for(Tag("Rows")) is None


def test_the_salt_is_needed_to_find_the_identity() -> None:
    one, other = Secret(SALT), Secret(SALT[::-1])
    image = small_image(PatientID="17")
    assert one.patient(image) != other.patient(image)
    assert 1 <= one.days(image) <= 3650
