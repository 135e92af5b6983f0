"""Images to de-identify: pydicom's own, and a small one made here."""

from __future__ import annotations

import io
from copy import deepcopy

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian

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
