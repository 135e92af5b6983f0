"""A node on a free port, real files of scanners, and the peers that a test may need."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("sqlalchemy")

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import StoredImage
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.receive import Receiver
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.settings import ClinicSettings, PacsSettings, Peer, UploadLimits

from .archive import Archive

REAL_FILES = {
    "explicit little endian": "US1_UNCI.dcm",
    "implicit little endian": "gdcm-US-ALOKA-16.dcm",
    "explicit big endian": "ExplVR_BigEnd.dcm",
    "deflated": "image_dfl.dcm",
    "RLE": "OBXXXX1A_rle.dcm",
    "RLE, multi-frame": "OBXXXX1A_rle_2frame.dcm",
    "JPEG baseline, cine": "examples_ybr_color.dcm",
    "JPEG lossless": "JPGLosslessP14SV1_1s_1f_8b.dcm",
    "JPEG extended": "JPEG-lossy.dcm",
    "JPEG-LS near-lossless": "JPEGLSNearLossless_08.dcm",
    "JPEG 2000": "US1_J2KI.dcm",
    "JPEG 2000 lossless": "US1_J2KR.dcm",
    "palette": "examples_palette.dcm",
}
"""Files of scanners and converters that come with pydicom and pydicom-data."""


def real_file(name: str) -> Path:
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} is not installed (pip install pydicom-data)")
    return Path(str(found))


def make_settings(data: Path, **pacs: Any) -> ClinicSettings:
    given: dict[str, Any] = {"port": 0, "timeout_seconds": 3.0, "quiet_seconds": 0.0, **pacs}
    return ClinicSettings(data=data, uploads=UploadLimits(free_bytes=0), pacs=PacsSettings(**given))


def variant(source: Path, target: Path, study_uid: str, number: int) -> Path:
    """The same picture as another instance: its own SOP instance UID, its own bytes."""
    dataset = dcmread(source)
    dataset.StudyInstanceUID = study_uid
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[study_uid, str(number)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceNumber = number
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    target.write_bytes(buffer.getvalue())
    return target


def muscle_dicom(target: Path, study_uid: str, number: int, *, patient: str = "M^Uster") -> Path:
    """An uncompressed ultrasound image with layered speckle, in a study of its own."""
    rng = np.random.default_rng(number)
    rows = np.arange(200)[:, None] / 200
    tissue = 60 + 50 * np.sin(40 * rows + 0.1 * rng.normal(size=(1, 160))) + 70 * (np.abs(rows - 0.25) < 0.02)
    pixels = np.clip(tissue * rng.rayleigh(0.8, size=(200, 160)), 2, 250).astype(np.uint8)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[study_uid, str(number)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[study_uid, "series"])
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = patient, "P-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19600101", "F"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20261123"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101500"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "1", "A-1", ""
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "US", "Simulated", "Speckle"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(target, enforce_file_format=True)
    return target


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.fixture
def settings(tmp_path: Path) -> ClinicSettings:
    return make_settings(tmp_path / "clinic")


@pytest.fixture
def database(settings: ClinicSettings) -> Iterator[Database]:
    opened = Database(settings)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def start_scp(database: Database) -> Iterator[Callable[..., StorageScp]]:
    """Start a Storage SCP with settings of one's own on the database of the test."""
    started: list[StorageScp] = []

    def start(settings: ClinicSettings) -> StorageScp:
        scp = StorageScp(settings, database)
        scp.start()
        started.append(scp)
        return scp

    yield start
    for scp in started:
        scp.stop(grace_seconds=1.0)


@pytest.fixture
def scp(start_scp: Callable[..., StorageScp], settings: ClinicSettings) -> StorageScp:
    return start_scp(settings)


@pytest.fixture
def ourselves(scp: StorageScp) -> Peer:
    """The node of the test as a peer."""
    return Peer(name="ourselves", port=scp.port, ae_title=scp.settings.pacs.ae_title)


@pytest.fixture
def start_archive() -> Iterator[Callable[..., Archive]]:
    started: list[Archive] = []

    def start(**options: Any) -> Archive:
        started.append(Archive(**options))
        return started[-1]

    yield start
    for archive in started:
        archive.server.shutdown()


@pytest.fixture
def study_id(settings: ClinicSettings, database: Database, tmp_path: Path) -> int:
    """A study of two DICOM images."""
    uid = generate_uid()
    receiver = Receiver(database, FileStore(settings))
    for number in (1, 2):
        receiver.receive(muscle_dicom(tmp_path / f"{number}.dcm", uid, number), "CART1")
    with database.session(writes=False) as session:
        return session.scalars(select(StoredImage.study_id).limit(1)).one()
