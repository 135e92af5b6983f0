"""Image ids of an import: as they always were, but for images that would have shared one."""

from __future__ import annotations

import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from myosono.cohort.importing import import_cohort, read_metadata
from myosono.cohort.readers import ReadOptions

UID = "1.2.826.0.1.3680043.8.498.100"


@pytest.fixture
def write_dicom(make_speckle):
    def write(file, patient, *, frames=1):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.PatientID, data.Modality = patient, "US"
        data.Rows, data.Columns, data.SamplesPerPixel = 80, 60, 1
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation = 7, 0
        data.PhotometricInterpretation = "MONOCHROME2"
        if frames > 1:
            data.NumberOfFrames = frames
        data.PixelData = make_speckle(len(file.name)).tobytes() * frames
        file.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(file, enforce_file_format=True)

    return write


@pytest.fixture
def labels(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("patient_id,label\nA,Normal\nB,IBM\n", encoding="utf-8")
    return ReadOptions(labels=file)


def ids(result):
    assert not result.failures
    return list(result.cohort.table["image_id"])


def test_dicom_files_named_by_their_uid_are_all_imported(tmp_path, write_dicom, labels):
    for number in range(1, 5):
        write_dicom(tmp_path / "tree" / f"{UID}.{number}", "AB"[number % 2])
    found = ids(import_cohort(tmp_path / "tree", tmp_path / "out", options=labels, quiet=True))
    # The first one's id is that of an import of this file alone.
    assert sorted(found) == sorted([UID, f"{UID}.2", f"{UID}.3", f"{UID}.4"])


def test_ids_that_met_in_no_other_stay_as_they_were(tmp_path, write_dicom, labels):
    for name, patient in ((UID, "A"), ("b.c/1.5.dcm", "B"), ("b.c/2.jfif", "B"), ("d/IM0001", "A")):
        write_dicom(tmp_path / "tree" / name, patient)
    write_dicom(tmp_path / "tree" / "d" / "clip.dcm", "A", frames=2)
    write_dicom(tmp_path / "tree" / "d" / "clip.1", "A")
    found = ids(import_cohort(tmp_path / "tree", tmp_path / "out", options=labels, quiet=True))
    before = {UID.removesuffix(".100"), "b.c/1.5", "b.c/2", "d/IM0001", "d/clip", "d/clip-f0001", "d/clip-f0002"}
    assert set(found) == before


def test_one_picture_in_two_formats_is_two_images(tmp_path, make_speckle):
    names = ["P1_RD_1.jpg", "P1_RD_1.png", "P1_RD_2.png", "P2_RD_1.png", "左.png", "右.png"]
    for label, patient in (("IBM", "x"), ("Normal", "y")):
        folder = tmp_path / "set" / label
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            Image.fromarray(make_speckle(number)).save(folder / f"{patient}{name}")
    options = ReadOptions(patient_pattern=r"^(\w)")
    found = ids(import_cohort(tmp_path / "set", tmp_path / "out", options=options, quiet=True))
    expected = ["P1_RD_1", "P1_RD_1.png", "P1_RD_2", "P2_RD_1", "左", "右"]
    assert sorted(found) == sorted([f"IBM/x{name}" for name in expected] + [f"Normal/y{name}" for name in expected])
    table, _, _ = read_metadata(tmp_path / "set", options=options)
    assert sorted(table["image_id"]) == sorted(found)


def test_frames_of_a_file_share_their_stem(tmp_path, write_dicom, labels):
    write_dicom(tmp_path / "tree" / "clip.1", "A", frames=2)
    write_dicom(tmp_path / "tree" / "clip.2", "B", frames=3)
    found = ids(import_cohort(tmp_path / "tree", tmp_path / "out", options=labels, quiet=True))
    assert sorted(found) == ["clip-f0001", "clip-f0002", "clip.2-f0001", "clip.2-f0002", "clip.2-f0003"]
