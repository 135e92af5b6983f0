"""Pixels of a de-identified image: decoded, blanked outside the B-mode area, and written without compression."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import JPEG2000, UID, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from myosono.errors import ClinicError, ImageError
from myosono.imaging import Area
from myosono.imaging.area import find_b_mode_area
from myosono.imaging.dicom_pixels import GreyConverter
from myosono.imaging.dicom_regions import read_geometry
from myosono.imaging.guard import decoding

NO_AREA = "no B-mode area"
"""In the reason of a refusal that an area given by hand would mend."""

_ERRORS = (InvalidDicomError, BytesLengthException)
_BY_PILLOW = (JPEGBaseline8Bit, JPEG2000, JPEG2000Lossless)
_LOSSY = (JPEGBaseline8Bit, UID("1.2.840.10008.1.2.4.51"), UID("1.2.840.10008.1.2.4.81"))
_LARGEST = 2**32 - 2  # bytes that an element of defined length holds
_SCREEN_SHARE = 0.98  # what more than this leaves out has no room for a line of text
_MADE_BY_PIXELS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_WORDS = {"OW": "u2", "OF": "u4", "OL": "u4", "OD": "u8", "OV": "u8"}


def clean_pixels(source: Dataset, dataset: Dataset, path: Path, area: Area | None) -> str:
    """Blank every frame outside the B-mode area; compressed pixels become uncompressed.

    Parameters
    ----------
    source
        The image, with its pixels and file meta information.
    dataset
        Its header, which is to hold the new pixels, in little endian (`little_endian`).
    path
        For messages.
    area
        What to keep; None takes the region that the header declares, else looks for it.

    Returns
    -------
    str
        How the area was found, for De-identification Method.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded.
    ClinicError
        If no area is declared and none stands out, so that text may lie anywhere; or the frames are too many.
    """
    how = "outside the area given by hand"
    frames = _frames(source, path)
    first, photometric = next(frames)
    if area is None:
        area, how = _find_area(dataset, first, photometric, path)
    height, width = first.shape[:2]
    area = area.clamped(height, width)
    count = int(dataset.get("NumberOfFrames") or 1)
    if first.nbytes * count > _LARGEST:
        raise ClinicError("its frames do not fit into one uncompressed image", path=path, remedy="Export fewer.")
    if not area.size:
        raise ClinicError("the area that is to be kept lies outside the image", path=path, remedy="Give another.")
    with decoding(path, "find the palette's black", also=_ERRORS):
        black = _black(dataset, first, photometric)
    cleaned = bytearray(_blanked(first, area, black))
    for frame, _ in frames:
        cleaned += _blanked(frame, area, black)
    _store(source, dataset, first, photometric, bytes(cleaned))
    return how


def unpack_pixels(source: Dataset, dataset: Dataset, path: Path) -> None:
    """Uncompressed little-endian pixels, unchanged otherwise; parameters and errors as `clean_pixels`."""
    frames = _frames(source, path)
    first, photometric = next(frames)
    plain = bytearray(_little(first))
    for frame, _ in frames:
        plain += _little(frame)
    _store(source, dataset, first, photometric, bytes(plain))


def little_endian(source: Dataset, dataset: Dataset) -> None:
    """Turn the words of a big-endian file: pydicom leaves them in the file's byte order. In place, but Pixel Data."""
    if _syntax(source) != ExplicitVRBigEndian:
        return
    for element in dataset.iterall():
        form = _WORDS.get(element.VR)
        if form is not None and element.keyword != "PixelData" and isinstance(element.value, bytes):
            element.value = np.frombuffer(element.value, dtype=f">{form}").astype(f"<{form}").tobytes()


def _frames(dataset: Dataset, path: Path) -> Iterator[tuple[NDArray[Any], str]]:
    syntax = _syntax(dataset)
    count = int(dataset.get("NumberOfFrames") or 1)
    with decoding(path, "decode DICOM pixels", also=_ERRORS):
        decoder = get_decoder(syntax)
        if not decoder.is_available:
            raise ImageError(f"is compressed as {syntax.name}, which needs {decoder.missing_dependencies}", path=path)
        plugin = "pillow" if syntax in _BY_PILLOW else ""
        found = decoder.iter_array(dataset, raw=False, as_rgb=True, decoding_plugin=plugin)
    for number in range(count):
        with decoding(path, f"decode DICOM frame {number + 1} of {count}", also=_ERRORS):
            one = next(found, None)
        if one is None:
            raise ImageError(f"ends after {number} of {count} frames", path=path)
        yield _own_bits(one[0], dataset), str(one[1]["photometric_interpretation"])


def _own_bits(frame: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Without what may lie in the bits above the stored ones: old files keep overlays there."""
    stored, high = int(dataset.get("BitsStored") or 8), int(dataset.get("HighBit") or 7)
    if frame.dtype.kind != "u" or high != stored - 1 or frame.dtype.itemsize * 8 <= stored:
        return frame
    own: NDArray[Any] = np.bitwise_and(frame, frame.dtype.type(2**stored - 1))
    return own


def _find_area(dataset: Dataset, first: NDArray[Any], photometric: str, path: Path) -> tuple[Area, str]:
    height, width = first.shape[:2]
    declared = read_geometry(dataset, height, width).area
    if declared is not None and (dataset.get("BurnedInAnnotation") == "NO" or not is_screen(declared, height, width)):
        return declared, "outside the declared ultrasound region"
    with decoding(path, "convert DICOM pixels to grey", also=_ERRORS):
        grey = GreyConverter(dataset)(first, photometric).pixels
    found = find_b_mode_area(grey)
    if found == Area(0, 0, height, width):
        raise ClinicError(
            f"declares no ultrasound region within its screen, and {NO_AREA} stands out from it",
            path=path,
            remedy="Look at it, and give the area (of the whole image if it is clean).",
        )
    return found, "outside the detected B-mode area"


def is_screen(area: Area, height: int, width: int) -> bool:
    """Whether a region is the whole screen, as some devices declare it, with the patient's name in its banner."""
    return area.size > _SCREEN_SHARE * height * width


def _black(dataset: Dataset, first: NDArray[Any], photometric: str) -> int:
    """The stored value that shows as black."""
    signed = first.dtype.kind == "i"
    if photometric == "MONOCHROME1":
        return int(2 ** (int(dataset.BitsStored) - signed) - 1)
    if photometric == "PALETTE COLOR":
        descriptor = dataset.RedPaletteColorLookupTableDescriptor
        start, entries = int(descriptor[1]), int(descriptor[0]) or 65536
        shades = apply_color_lut(np.arange(start, start + entries, dtype=np.int64)[None].astype(first.dtype), dataset)
        return start + int(shades[0, :, :3].astype(np.int64).sum(axis=-1).argmin())
    return -int(2 ** (int(dataset.BitsStored) - 1)) if signed else 0


def _blanked(frame: NDArray[Any], area: Area, black: int) -> bytes:
    cleaned = np.full_like(frame, black)
    inside = np.s_[area.top : area.bottom, area.left : area.right]
    cleaned[inside] = frame[inside]
    return _little(cleaned)


def _little(frame: NDArray[Any]) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()


def _store(source: Dataset, dataset: Dataset, first: NDArray[Any], photometric: str, pixels: bytes) -> None:
    syntax = _syntax(source)
    if syntax in _LOSSY and dataset.get("LossyImageCompression") != "01":
        dataset.LossyImageCompression = "01"
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = first.dtype.itemsize * 8
    if first.ndim == 3:
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = first.shape[2], 0
    for keyword in _MADE_BY_PIXELS:
        if keyword in dataset:
            del dataset[keyword]
    wide = dataset.BitsAllocated > 8
    dataset.add_new("PixelData", "OW" if wide else "OB", pixels + b"\0" * (len(pixels) % 2))
    dataset["PixelData"].is_undefined_length = False


def _syntax(dataset: Dataset) -> UID:
    """Of a data set without file meta information the standard's default."""
    meta = getattr(dataset, "file_meta", None)
    return UID(ImplicitVRLittleEndian if meta is None else meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
