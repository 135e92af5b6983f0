"""De-identification: nothing of the person is left, what is allowed stays, and the object is as valid as it was."""

from __future__ import annotations

import io
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from myosono.clinic.dicom import DeidentifyOptions, deidentify
from myosono.clinic.dicom.profile import Action, Secret, action_for
from myosono.errors import ClinicError, ImageError, UsageError
from myosono.imaging import Area

SALT = b"a secret of this test, 16+ bytes"
WHOLE = Area(0, 0, 10**6, 10**6)
FILES = (
    "US1_UNCR.dcm",
    "US1_J2KR.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
    "gdcm-US-ALOKA-16.dcm",
    "gdcm-US-ALOKA-16_big.dcm",
    "OBXXXX1A_rle_2frame.dcm",
    "OBXXXX1A_expb_2frame.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm",
)


def read(name: str) -> Dataset:
    path = get_testdata_file(name)
    assert path is not None
    return dcmread(path)


def file_bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def through_file(dataset: Dataset) -> Dataset:
    return dcmread(io.BytesIO(file_bytes(dataset)))


def small_image(**given: object) -> Dataset:
    """An 8 x 8 image with a declared region of 4 x 4."""
    dataset = read("ExplVR_BigEnd.dcm")
    plain = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"):
        setattr(plain, keyword, dataset.get(keyword, "1.2.3.4"))
    plain.Rows = plain.Columns = 64
    plain.SamplesPerPixel, plain.PhotometricInterpretation = 1, "MONOCHROME2"
    plain.BitsAllocated = plain.BitsStored = 8
    plain.HighBit, plain.PixelRepresentation = 7, 0
    plain.PixelData = bytes([200]) * 64 * 64
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 16, 24
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 47, 55
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    plain.SequenceOfUltrasoundRegions = [region]
    plain.file_meta = deepcopy(dataset.file_meta)
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in given.items():
        setattr(plain, keyword, value)
    return plain


def dciodvfy_errors(dataset: Dataset, path: Path) -> set[str]:
    path.write_bytes(file_bytes(dataset))
    done = subprocess.run(
        ["/usr/bin/dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False
    )
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_kept_inside_and_black_outside(name: str) -> None:
    original = read(name)
    cleaned = through_file(deidentify(original, DeidentifyOptions(SALT)))
    before, after = _as_rgb(original), _as_rgb(cleaned)
    assert before.shape == after.shape
    kept = (before == after).all(axis=-1) if before.ndim > after.ndim - 1 else before == after
    inside = _area_of(original, kept)
    assert kept[inside].all(), "the B-mode area is untouched"
    outside = np.ones(kept.shape, bool)
    outside[inside] = False
    assert outside.any(), "something was to be blanked"
    assert np.unique(after[outside].reshape(-1, 3), axis=0).shape[0] == 1, "one colour"
    assert after[outside].max() <= 16, "and that one is black"


def _as_rgb(dataset: Dataset) -> np.ndarray:
    from pydicom.pixels.processing import apply_color_lut

    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        plain = deepcopy(dataset)
        if "RedPaletteColorLookupTableData" in plain and dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
            for name in ("Red", "Green", "Blue"):
                element = plain[f"{name}PaletteColorLookupTableData"]
                element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
        pixels = apply_color_lut(pixels, plain)
        pixels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    elif dataset.get("SamplesPerPixel") == 1:
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    frames = pixels if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels[None]
    return np.asarray(frames)


def _area_of(dataset: Dataset, kept: np.ndarray) -> tuple[slice, ...]:
    from myosono.imaging.area import find_b_mode_area
    from myosono.imaging.dicom_pixels import GreyConverter
    from myosono.imaging.dicom_regions import read_geometry

    height, width = kept.shape[1:3]
    area = read_geometry(dataset, height, width).area
    if area is None:
        area = find_b_mode_area(GreyConverter(dataset)(dataset.pixel_array, "RGB").pixels)
    return np.s_[:, area.top : area.bottom, area.left : area.right]


@pytest.mark.parametrize("name", FILES)
def test_it_adds_no_error_to_what_dciodvfy_says_of_the_source(name: str, tmp_path: Path) -> None:
    if shutil.which("dciodvfy", path="/usr/bin") is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    original = read(name)
    before = dciodvfy_errors(original, tmp_path / "before.dcm")
    for options in (DeidentifyOptions(SALT), DeidentifyOptions(SALT, True, None, True, True, True)):
        assert dciodvfy_errors(deidentify(original, options), tmp_path / "after.dcm") <= before


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


def test_pixels_of_each_kind_are_blanked_black() -> None:
    cases = {"MONOCHROME2": (0, 0), "MONOCHROME1": (0, 255)}
    for photometric, (signed, black) in cases.items():
        image = small_image(PhotometricInterpretation=photometric, PixelRepresentation=signed)
        pixels = deidentify(image, DeidentifyOptions(SALT)).pixel_array
        assert (pixels[24:56, 16:48] == 200).all()
        pixels[24:56, 16:48] = black
        assert (pixels == black).all()
    deep = small_image(BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=1)
    deep.PixelData = np.full((64, 64), -5, "<i2").tobytes()
    pixels = deidentify(deep, DeidentifyOptions(SALT)).pixel_array
    assert (pixels[0, 0], pixels[30, 30]) == (-2048, -5)


def test_overlays_in_unused_bits_are_gone() -> None:
    image = small_image(BitsAllocated=16, BitsStored=8, HighBit=7)
    image.PixelData = np.full((64, 64), 0x8000 | 200, "<u2").tobytes()
    for options in (DeidentifyOptions(SALT), DeidentifyOptions(SALT, clean_pixels=False)):
        stored = np.frombuffer(deidentify(image, options).PixelData, "<u2")
        assert stored.max() == 200


def test_a_cine_loop_is_blanked_in_every_frame() -> None:
    original = read("examples_ybr_color.dcm")
    cleaned = through_file(deidentify(original, DeidentifyOptions(SALT, area=Area(20, 40, 220, 280))))
    frames = cleaned.pixel_array
    assert frames.shape == (30, 240, 320, 3)
    assert cleaned.PhotometricInterpretation == "RGB"
    assert cleaned.LossyImageCompression == "01"
    assert frames[:, :20].max() == frames[:, :, 280:].max() == 0
    assert np.array_equal(frames[:, 20:220, 40:280], original.pixel_array[:, 20:220, 40:280])


def test_an_unknown_area_is_refused_not_guessed() -> None:
    with pytest.raises(ClinicError, match=r"no B-mode area stands out.*give the area"):
        deidentify(read("color-pl.dcm"), DeidentifyOptions(SALT))
    kept = deidentify(read("color-pl.dcm"), DeidentifyOptions(SALT, area=WHOLE))
    assert np.array_equal(kept.pixel_array, read("color-pl.dcm").pixel_array)


def screen_with_a_name(**given: object) -> Dataset:
    """Whose device declares the whole screen as its region, with the patient's name in a banner over the B-mode."""
    image = small_image(Rows=480, Columns=640, **given)
    pixels = np.zeros((480, 640), np.uint8)
    pixels[10:30, 10:200] = 255
    pixels[100:400, 100:500] = np.random.default_rng(0).integers(1, 200, (300, 400))
    image.PixelData = pixels.tobytes()
    region = image.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 639, 476
    return image


def test_a_declared_region_that_is_the_whole_screen_hides_no_name() -> None:
    cleaned = deidentify(screen_with_a_name(), DeidentifyOptions(SALT))
    kept = cleaned.pixel_array
    assert kept[:60].max() == 0
    assert kept[150:350, 150:450].min() > 0
    assert "detected" in str(cleaned.DeidentificationMethod)


def test_a_whole_screen_is_believed_where_the_device_says_that_nothing_is_burnt_in() -> None:
    image = screen_with_a_name(BurnedInAnnotation="NO")
    assert deidentify(image, DeidentifyOptions(SALT)).pixel_array[20, 100] == 255


def test_thumbnails_and_nested_pixels_are_removed() -> None:
    image = small_image()
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.PixelData = b"\xaa" * 4
    image.IconImageSequence = [icon]
    cleaned = deidentify(image, DeidentifyOptions(SALT))
    assert "IconImageSequence" not in cleaned
    assert b"\xaa" * 4 not in file_bytes(cleaned)


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
