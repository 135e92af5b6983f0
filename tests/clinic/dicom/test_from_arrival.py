"""From a DICOM file that arrives to the objects that are sent back, through the real store, worker and model."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from myosono.clinic.database.engine import Database
from myosono.clinic.dicom import load_key_pictures, load_sources, make_objects
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.pdf import render_pdf
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import StudyView
from myosono.clinic.work.worker import Worker


def scanner_file(muscle: bytes, study_uid: str) -> bytes:
    """A cine loop of three frames, with a name burnt into the screen around the declared region."""
    picture = np.asarray(Image.open(io.BytesIO(muscle)).convert("L"))
    height, width = picture.shape
    screen = np.zeros((3, height + 60, width + 80), np.uint8)
    screen[:, 40 : 40 + height, 40 : 40 + width] = picture
    screen[:, 5:25, 10:200] = 255
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = UltrasoundMultiFrameImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, generate_uid()
    dataset.SpecificCharacterSet = "GB18030"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "王^小东", "MRN-00017", "M"
    dataset.PatientBirthDate, dataset.StudyDate, dataset.StudyTime = "19600229", "20260304", "101112"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "1", "A-17", ""
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "US", "GE", "LOGIQ E"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.NumberOfFrames = 3
    dataset.Rows, dataset.Columns = screen.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 40, 40
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 39 + width, 39 + height
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    dataset.SequenceOfUltrasoundRegions = [region]
    dataset.PixelData = screen.tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def read_study(
    database: Database, worker: Worker, take: Callable[..., object], make_muscle: Callable[..., bytes]
) -> StudyView:
    study_uid = generate_uid()
    for seed, site in enumerate(("RD", "LG")):
        take(scanner_file(make_muscle(seed), study_uid), name=f"P001_{site}_1.dcm", source="dicom", sender="CART")
    while worker.run_once():
        pass
    with database.session(writes=False) as session:
        return load_study(session, 1)


def test_objects_of_a_study_that_arrived(
    database: Database,
    store: FileStore,
    read_study: StudyView,
    judged: Callable[[Dataset], str],
    tmp_path: Path,
) -> None:
    sources = load_sources(read_study, store)
    with database.session(writes=False) as session:
        pictures = load_key_pictures(session, store, read_study)
    pdf = render_pdf(read_study, "en", {})
    report, capture, document = make_objects(read_study, ("sr", "capture", "pdf"), sources, pdf, pictures)
    for made in (report, capture, document):
        judged(made)
        assert str(made.PatientName) == "王^小东"
    groups = report.ContentSequence[-1].ContentSequence
    said = [group.ContentSequence[0].TextValue for group in groups]
    assert said[:3] == ["patient", "site RD", "site LG"] or said[:3] == ["patient", "site LG", "site RD"]
    assert sum(one.startswith("image ") for one in said) == 6, "three frames of two loops"
    assert capture.NumberOfFrames == 2
    assert capture.BurnedInAnnotation == "NO"
    assert len(pictures) == 2
    assert all(one.grey.max() < 255 or one.grey[:25].mean() < 200 for one in pictures), "cut to the region"
    heated = [one for one in pictures if one.relevance is not None]
    assert len(heated) == sum(not one.key.frame.abstained for one in pictures)
    capture.save_as(tmp_path / "capture.dcm", enforce_file_format=True)
    assert dcmread(tmp_path / "capture.dcm").pixel_array.shape[0] == 2
