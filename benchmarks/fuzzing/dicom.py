"""DICOM files with a whole file around a header that lies: elements changed by pydicom, lengths included."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Sequence
from typing import Any

import pydicom
from pydicom.tag import BaseTag

_NUMBERS = (0, 1, 2, 3, 7, 8, 9, 12, 16, 32, 64, 255, 4096, 8000, 32767, 65535)
_CHANGES: dict[str, tuple[Any, ...]] = {
    "Rows": _NUMBERS,
    "Columns": _NUMBERS,
    "SamplesPerPixel": (0, 1, 2, 3, 4, 65535),
    "BitsAllocated": (0, 1, 8, 12, 16, 32, 64),
    "BitsStored": (0, 1, 7, 8, 9, 12, 16, 32, 65535),
    "HighBit": (0, 7, 8, 11, 15, 65535),
    "PixelRepresentation": (0, 1, 2),
    "PlanarConfiguration": (0, 1, 2),
    "NumberOfFrames": ("0", "-1", "1", "2", "2000", "2001", "2147483647", "1e9"),
    "PhotometricInterpretation": (
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "PALETTE COLOR",
        "X",
    ),
    "WindowCenter": ("0", "-1e30", "1e300"),
    "WindowWidth": ("0", "-5", "1e300"),
    "RescaleSlope": ("0", "1e300", "-1"),
    "RescaleIntercept": ("1e300", "-1e300"),
    "PatientID": ("", "x" * 70, "../../../x", "=cmd()"),
    "PatientName": ("A^B=王^小东", "\0", "<script>"),
    "StudyInstanceUID": ("", "1.2.3", "not a uid", "1." * 60),
    "SOPInstanceUID": ("", "1.2.3.4", "x"),
    "StudyDate": ("20260230", "yesterday", ""),
    "PatientAge": ("999Y", "-01Y", "Y", "٣Y"),
    "PatientBirthDate": ("00000000",),
    "SpecificCharacterSet": ("ISO_IR 999", "GB18030", "ISO 2022 IR 87", "\\\\\\"),
}
_SYNTAXES = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.3.4",
)


def dicom_header(rng: random.Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """One to three elements of the header changed, or dropped, or another transfer syntax claimed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            for _ in range(rng.choice((1, 1, 2, 3))):
                _change(rng, dataset)
            target = io.BytesIO()
            dataset.save_as(target, enforce_file_format=False)
        except Exception:  # noqa: BLE001  an earlier mutation has broken it for pydicom: it is damaged enough
            return data
    return target.getvalue()


def _change(rng: random.Random, dataset: pydicom.Dataset) -> None:
    roll = rng.random()
    if roll < 0.12 and len(dataset):
        del dataset[rng.choice(list(dataset.keys()))]
    elif roll < 0.24 and "TransferSyntaxUID" in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = rng.choice(_SYNTAXES)
    elif roll < 0.34:
        region = pydicom.Dataset()
        for name in ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1"):
            setattr(region, name, rng.choice((0, 1, 50, 2**31, 2**32 - 1)))
        region.PhysicalDeltaX = rng.choice((0.0, 1e-3, float("nan"), 1e300, -1.0))
        region.PhysicalDeltaY = rng.choice((0.0, 1e-3, float("inf")))
        region.RegionDataType = rng.choice((0, 1, 2, 65535))
        dataset.SequenceOfUltrasoundRegions = [region] * rng.choice((0, 1, 2, 50))
    elif roll < 0.42 and "PixelData" in dataset:
        pixels = dataset.PixelData
        dataset.PixelData = rng.choice((b"", pixels[: len(pixels) // 4 * 2], pixels + b"\0\0", b"\xfe\xff\x00\xe0" * 4))
    else:
        name = rng.choice(list(_CHANGES))
        value = rng.choice(_CHANGES[name])
        tag = BaseTag(pydicom.datadict.tag_for_keyword(name) or 0)
        dataset[tag] = pydicom.DataElement(
            tag, pydicom.datadict.dictionary_VR(tag), value, validation_mode=pydicom.config.IGNORE
        )
