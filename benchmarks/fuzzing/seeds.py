"""Intact files to start from: made here, or those that pydicom carries for its own tests."""

from __future__ import annotations

import io
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage, generate_uid

from myosono.reading.artefact import embedded_model

_DICOM_FILES = (
    "JPEG2000-embedded-sequence-delimiter.dcm",
    "693_J2KI.dcm",
    "693_J2KR.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_rle_16bit.dcm",
    "MR_small_RLE.dcm",
    "image_dfl.dcm",
    "JPEG-LL.dcm",
    "JPGExtended.dcm",
    "JPEG-lossy.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "OBXXXX1A.dcm",
    "ExplVR_BigEnd.dcm",
    "MR_small_bigendian.dcm",
    "liver_1frame.dcm",
    "rtdose_1frame.dcm",
    "parametric_map_float.dcm",
    "CT_small.dcm",
    "reportsi.dcm",
    "test-SR.dcm",
    "empty_charset_LEI.dcm",
    "nested_priv_SQ.dcm",
    "US1_UNCR.dcm",
    "SC_jpeg_no_color_transform.dcm",
)


@cache
def speckle(height: int = 64, width: int = 80) -> np.ndarray:
    """Grey noise that no compression makes small."""
    return np.random.default_rng(5).integers(0, 255, (height, width), dtype=np.uint8)


@cache
def stills(kind: str) -> tuple[bytes, ...]:
    """Files of one format in its usual modes; several pages or frames where it has them."""
    grey = Image.fromarray(speckle())
    modes = {
        "PNG": ("L", "RGB", "RGBA", "P", "1", "I;16", "LA"),
        "JPEG": ("L", "RGB", "CMYK"),
        "TIFF": ("L", "RGB", "1", "I;16", "F", "CMYK", "RGBA"),
        "BMP": ("L", "RGB", "P", "1"),
        "GIF": ("L", "P"),
    }[kind]
    files = [_saved(_in_mode(grey, mode), kind) for mode in modes]
    if kind in ("TIFF", "GIF"):
        others = [Image.fromarray(255 - speckle()), Image.fromarray(speckle()[::-1])]
        files.append(_saved(grey, kind, save_all=True, append_images=others))
    if kind == "TIFF":
        files += [_saved(grey, kind, compression=name) for name in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")]
        files.append(_saved(_in_mode(grey, "1"), kind, compression="group4"))
    if kind == "JPEG":
        files += [_saved(grey, kind, progressive=True), _saved(_in_mode(grey, "RGB"), kind, subsampling=2)]
    return tuple(files)


def _in_mode(grey: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(speckle().astype(np.uint16) * 200)
    if mode == "F":
        return Image.fromarray(speckle().astype(np.float32))
    return grey.convert(mode)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def dicom_files() -> tuple[bytes, ...]:
    """Ultrasound made here, and small files of pydicom in the transfer syntaxes that occur."""
    paths = [get_testdata_file(name, download=False) for name in _DICOM_FILES]
    small = [Path(str(path)).read_bytes() for path in paths if path is not None]
    return (ultrasound(1), ultrasound(5), *(data for data in small if len(data) < 400_000))


def ultrasound(frames: int) -> bytes:
    """An ultrasound image, or a cine of it, with patient and region."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = UltrasoundImageStorage if frames == 1 else UltrasoundMultiFrameImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(frames)])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(entropy_srcs="a"), generate_uid(entropy_srcs="b")
    dataset.PatientID, dataset.PatientName, dataset.PatientSex, dataset.PatientAge = "P1", "Doe^Jane", "F", "056Y"
    dataset.StudyDate, dataset.Manufacturer, dataset.Modality = "20260304", "GE", "US"
    dataset.Rows, dataset.Columns = speckle().shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 4, 4
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 75, 60
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.RegionDataType, region.RegionSpatialFormat, region.RegionFlags = 1, 1, 0
    dataset.SequenceOfUltrasoundRegions = [region]
    dataset.PixelData = speckle().tobytes() * frames
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


@cache
def cines() -> tuple[bytes, ...]:
    """Short loops in the containers and codecs that OpenCV writes."""
    import cv2

    made = []
    for suffix, codec in ((".avi", "MJPG"), (".mp4", "mp4v"), (".avi", "FFV1"), (".avi", "XVID")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"cine{suffix}"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (80, 64))
            for shift in range(6):
                writer.write(cv2.cvtColor(np.roll(speckle(), shift, axis=1), cv2.COLOR_GRAY2BGR))
            writer.release()
            if path.is_file() and path.stat().st_size > 1000:
                made.append(path.read_bytes())
    return tuple(made)


@cache
def model_file() -> bytes:
    """The model that ships with myosono."""
    return embedded_model().read_bytes()


@cache
def reference_file() -> bytes:
    """Normals of two muscles."""
    model = {
        "muscle": "D",
        "device": "GE",
        "terms": ["mean", "age"],
        "coefficients": [60.0, 0.2],
        "sd": 8.0,
        "patients": 25,
        "sites": 50,
        "age_range": [20.0, 80.0],
    }
    whole = {
        "format": 1,
        "measure": "echo intensity",
        "source": "made",
        "region": "mask",
        "simulated": True,
        "minimum": 20,
        "models": [model, model | {"muscle": "B", "age_range": None}],
        "left_out": [{"muscle": "T", "device": "GE", "reason": "few"}],
    }
    return json.dumps(whole).encode()


PREDICTIONS = b"patient_id,target,muscle,side,fold,role,p_Normal,p_IBM\n" + b"".join(
    f"p{one},{'IBM' if one % 2 else 'Normal'},D,L,{one % 3},test,0.{one % 10},{1 - one % 10 / 10:.1f}\n".encode()
    for one in range(30)
)
MANIFEST = b"file,label,patient_id,muscle,side,age,sex\n" + b"".join(
    f"images/{number}.png,IBM,p{number},D,L,{40 + number},F\n".encode() for number in range(12)
)
SETTINGS = b"""model = "model.onnx"
port = 8080
accounts = false
language = "zh-CN"
[uploads]
file_bytes = 1000
compression_ratio = 100.0
[pacs]
ae_title = "MYOSONO"
allowed_ae = ["CART", "PACS"]
[[pacs.peers]]
name = "pacs"
host = "10.0.0.2"
port = 104
[[pacs.rules]]
to = "pacs"
when = "signed"
objects = ["sr", "pdf"]
"""
