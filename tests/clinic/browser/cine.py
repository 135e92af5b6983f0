"""A cine loop as a scanner exports a split screen: two B-mode regions of different, anisotropic scale."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from ..conftest import muscle_png

FRAMES, GAP = 6, 20
LEFT_CM, RIGHT_CM = (0.01, 0.02), (0.03, 0.03)
"""Centimetres a pixel, across and down, of the left and the right region."""


def two_scales(path: Path) -> Path:
    """Write it; the left region begins at column 0, the right one 20 columns after it."""
    muscle = np.asarray(Image.open(io.BytesIO(muscle_png(3))))
    height, width = muscle.shape
    frames = np.zeros((FRAMES, height, 2 * width + GAP), np.uint8)
    for number in range(FRAMES):
        frames[number, :, :width] = np.roll(muscle, 3 * number, axis=1)
        frames[number, :, width + GAP :] = muscle
    dataset = _header(path, frames)
    dataset.SequenceOfUltrasoundRegions = Sequence(
        [_region(0, width, height, LEFT_CM), _region(width + GAP, 2 * width + GAP, height, RIGHT_CM)]
    )
    dataset.PixelData = frames.tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def _header(path: Path, frames: np.ndarray) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Simulated^Cine", "C1", "US"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    return dataset


def _region(left: int, right: int, height: int, scale: tuple[float, float]) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = left, right - 1
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 0, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = scale
    return region
