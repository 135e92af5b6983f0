"""DICOM, single and multi-frame, through pydicom and its decoders."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from myosono.errors import ImageError
from myosono.imaging.decoded import Decoded, Picture, checked_frames
from myosono.imaging.dicom_frames import decoded_frames
from myosono.imaging.dicom_pixels import GreyConverter
from myosono.imaging.dicom_regions import read_geometry
from myosono.imaging.dicom_site import read_site
from myosono.imaging.dicom_streams import check_streams
from myosono.imaging.guard import DECODER_ERRORS, decoding
from myosono.imaging.limits import Limits

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PYDICOM_ERRORS = (InvalidDicomError, BytesLengthException)
_META_LENGTH = slice(140, 144)
_META_END = 144
_DEFAULT_SETS = ("", "ISO_IR 6", "ISO 2022 IR 6")
"""What a Specific Character Set (PS3.3 C.12.1.1.2) of ASCII alone says."""
_AS_READ = "latin-1"
"""How pydicom decodes text of the default set, which loses no byte."""


def decode_dicom(data: bytes, path: Path, limits: Limits, wanted: tuple[int, ...] | None = None) -> Decoded:
    """Open a DICOM file.

    Parameters
    ----------
    data
        The file's bytes; the preamble and file meta information may be missing.
    path
        For messages.
    limits
        Checked on the header, before any pixel is decoded.
    wanted
        Numbers of the frames to decode, ascending and from 0, which tells the depth of all; None: all.

    Raises
    ------
    ImageError
        If the file is damaged, holds no image, exceeds a limit, or needs a decoder that is not there; later, from
        the iterator, if a frame is damaged.
    """
    check_inflated_size(data, path, limits)
    with decoding(path, "read the DICOM header", also=_PYDICOM_ERRORS):
        dataset = dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
        if "PixelData" not in dataset:
            raise ImageError(f"is a DICOM {_class_name(dataset)} without pixels", path=path)
        height, width = int(dataset.Rows), int(dataset.Columns)
        count = int(dataset.get("NumberOfFrames") or 1)
    limits.check_size(height, width, path)
    limits.check_frames(count, path)
    numbers = checked_frames(wanted, count, path)
    with decoding(path, "read the DICOM header", also=_PYDICOM_ERRORS):
        muscle, side = read_site(dataset)
        geometry = read_geometry(dataset, height, width)
        return Decoded(
            count,
            _pictures(dataset, numbers, count, path),
            one_layout=True,
            area=geometry.area,
            spacing_mm=geometry.spacing_mm,
            device=joined_text(dataset, "Manufacturer", "ManufacturerModelName"),
            patient_id=joined_text(dataset, "PatientID"),
            muscle=muscle,
            side=side,
            warnings=geometry.warnings,
        )


def _pictures(dataset: FileDataset, numbers: Sequence[int], count: int, path: Path) -> Iterator[Picture]:
    with decoding(path, "decode DICOM pixels", also=_PYDICOM_ERRORS):
        # A bare data set does not say how it is encoded; the standard's default is implicit little endian.
        syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
        convert = GreyConverter(dataset, big_endian=syntax == ExplicitVRBigEndian)
        decoder = get_decoder(syntax)
        if not decoder.is_available:
            raise ImageError(f"is compressed as {syntax.name}, which needs {decoder.missing_dependencies}", path=path)
        check_streams(dataset, syntax, count, path)
        if count > 1 and convert.needs_look:
            _look_at_all(dataset, syntax, count, convert)
        frames = decoded_frames(dataset, syntax, decoder, numbers, count)
    for index in numbers:
        doing = f"decode DICOM frame {index + 1} of {count}"
        with decoding(path, doing, also=_PYDICOM_ERRORS):
            found = next(frames, None)
            if found is None:
                raise ImageError(f"ends after {index} of {count} frames", path=path)
            picture = convert(*found)
        yield picture


def _look_at_all(dataset: FileDataset, syntax: UID, count: int, convert: GreyConverter) -> None:
    """All frames tell the depth of each; where one is damaged, those before it do, and it fails when its turn comes."""
    with suppress(*DECODER_ERRORS, *_PYDICOM_ERRORS):
        for pixels, _ in decoded_frames(dataset, syntax, get_decoder(syntax), range(count), count):
            convert.look(pixels)


def check_inflated_size(data: bytes, path: Path, limits: Limits) -> None:
    """Refuse a deflated data set (PS3.5 A.5) that inflates beyond the limit, without inflating it all.

    Raises
    ------
    ImageError
        If it does, or is damaged.
    """
    start = _META_END + int.from_bytes(data[_META_LENGTH], "little")
    if _DEFLATED not in data[_META_END : min(start, 4096)]:
        return
    inflater, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, data[start:]
    with decoding(path, "inflate the DICOM data set"):
        while rest and not inflater.eof:
            total += len(inflater.decompress(rest, 1 << 20))
            rest = inflater.unconsumed_tail
            limits.check_bytes(total, path)


def _class_name(dataset: Dataset) -> str:
    return str(UID(str(dataset.get("SOPClassUID", "file"))).name)


def joined_text(dataset: Dataset, *keywords: str) -> str | None:
    """Values of elements in one line, without padding; None if all are empty."""
    parts = [" ".join(stated_text(dataset, keyword).replace("\x00", " ").split()) for keyword in keywords]
    return " ".join(part for part in parts if part) or None


def stated_text(dataset: Dataset, keyword: str) -> str:
    """An element's text as it was meant: with its backslashes, and in the characters that its sender wrote it in.

    Where a data set declares no character set and its bytes are not ASCII, they are what `undeclared_text` takes them
    for: scanners in China write GBK and say nothing of it. A declared set is believed. The data set stays as it is.

    Examples
    --------
    >>> header = Dataset()
    >>> header.PatientID = "12\\\\34"
    >>> print(stated_text(header, "PatientID"))
    12\\34
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        return ""
    # A backslash stands between values, and in names and numbers that have but one it was typed.
    values = value if isinstance(value, MultiValue) else [value]
    text = "\\".join(str(one) for one in values)
    if text.isascii() or not _is_default(dataset.get("SpecificCharacterSet")):
        return text
    try:
        return undeclared_text(text.encode(_AS_READ)) or text
    except UnicodeEncodeError:  # set by a program, or in characters that escape sequences announce
        return text


def _is_default(declared: object) -> bool:
    values = declared if isinstance(declared, MultiValue) else [declared]
    return all(str(one or "").strip() in _DEFAULT_SETS for one in values)


def undeclared_text(raw: bytes) -> str:
    """Text of bytes that do not say how they are encoded: UTF-8, or GB 18030 (which holds GBK); ``""`` if neither.

    Bytes of a European name may happen to be GB 18030 too, so that one common Chinese character is asked for.

    Examples
    --------
    >>> undeclared_text("王^小东".encode("gbk")), undeclared_text("王^小东".encode()), undeclared_text(b"M\\xfcller")
    ('王^小东', '王^小东', '')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", "replace")
    common = any("一" <= sign <= "鿿" and sign.encode("gb2312", "ignore") for sign in text)
    return text if common and "\N{REPLACEMENT CHARACTER}" not in text else ""
