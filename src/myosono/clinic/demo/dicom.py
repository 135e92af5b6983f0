"""The demonstration's pictures as DICOM ultrasound images, with their regions (PS3.3 A.6, A.7, C.8.5.5)."""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from myosono.clinic.demo.picture import Screen
from myosono.imaging import Area

_CENTIMETRES, _TISSUE, _TWO_DIMENSIONAL = 3, 1, 1
_FRAME_MS = 40


@dataclass(frozen=True)
class Examination:
    """What the headers of one study share. ``device`` is the manufacturer, by which normals are told apart."""

    patient_id: str
    name: str
    sex: str
    age: int
    device: str
    day: date


def demo_uid(*parts: str) -> str:
    """A UID that is the same each time (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, ' '.join(('myosono demo', *parts))).int}"


def make_ultrasound(screens: Sequence[Screen], examination: Examination, site: str, number: int) -> bytes:
    """A DICOM file of one screen, or of a loop of them.

    Parameters
    ----------
    screens
        Frames of one size; their regions are those of the first.
    site
        Side and muscle, such as ``RD``; the header holds the side.
    number
        Instance number.
    """
    loop = len(screens) > 1
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    _describe(dataset, examination, site, number)
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage if loop else UltrasoundImageStorage
    dataset.SequenceOfUltrasoundRegions = [_region(area, scale) for area, scale in screens[0].regions]
    if loop:
        dataset.NumberOfFrames = len(screens)
        dataset.FrameTime = _FRAME_MS
        dataset.FrameIncrementPointer = 0x0018_1063
    _add_pixels(dataset, screens)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _describe(dataset: Dataset, examination: Examination, site: str, number: int) -> None:
    day = examination.day.strftime("%Y%m%d")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "PRIMARY", "SMALL PARTS", "0001"]
    dataset.SOPInstanceUID = demo_uid(examination.patient_id, str(number))
    dataset.StudyInstanceUID = demo_uid(examination.patient_id)
    dataset.SeriesInstanceUID = demo_uid(examination.patient_id, "series")
    dataset.StudyDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.ContentTime = "090000"
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID = examination.patient_id
    dataset.StudyDescription = "Simulated muscle ultrasound"
    dataset.Modality = "US"
    dataset.Manufacturer = examination.device
    dataset.PatientName, dataset.PatientID = examination.name, examination.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "", examination.sex
    dataset.PatientAge = f"{examination.age:03d}Y"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.ImageLaterality = site[0]
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "YES"


def _region(area: Area, mm_per_pixel: float) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat = _TWO_DIMENSIONAL
    region.RegionDataType = _TISSUE
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = area.left, area.top
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = area.right - 1, area.bottom - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES
    region.PhysicalDeltaX = region.PhysicalDeltaY = mm_per_pixel / 10
    return region


def _add_pixels(dataset: Dataset, screens: Sequence[Screen]) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = screens[0].pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    data = np.stack([screen.pixels for screen in screens]).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
