"""A node on a free port, real files of scanners, and the peers that a test may need."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("sqlalchemy")

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.settings import ClinicSettings, PacsSettings, Peer, UploadLimits

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
