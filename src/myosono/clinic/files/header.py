"""What a file says of its study before it is decoded: the DICOM header, else the name."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePath

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from myosono.errors import ImageError, OwnResultError, UploadError
from myosono.imaging import Limits, facts_from_name, is_own_result
from myosono.imaging.bounded import BoundedFile
from myosono.imaging.dicom import check_inflated_size, joined_text
from myosono.imaging.dicom_site import read_site
from myosono.imaging.guard import decoding
from myosono.imaging.marks import OWN_RESULT
from myosono.imaging.sniff import HEAD_BYTES, Kind, require_kind

SUFFIXES = {
    Kind.PNG: ".png",
    Kind.JPEG: ".jpg",
    Kind.TIFF: ".tif",
    Kind.BMP: ".bmp",
    Kind.GIF: ".gif",
    Kind.DICOM: ".dcm",
    Kind.MP4: ".mp4",
    Kind.AVI: ".avi",
}
MANUFACTURER = "myosono"
"""What our own objects state as their manufacturer (`myosono.clinic.dicom.header.new_object`)."""
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PatientName", "PatientSex",
    "PatientBirthDate", "PatientAge", "AccessionNumber", "StudyDescription", "StudyDate", "Manufacturer",
    "ManufacturerModelName", "ImageLaterality", "Laterality", "Rows", "Columns", "SpecificCharacterSet",
    "AnatomicRegionSequence", "ImageComments", "SeriesDescription", "ProtocolName", "AcquisitionContextDescription",
    "BodyPartExamined",
]  # fmt: skip
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class PatientFacts:
    """Who was examined, as far as a header or a form tells; "" and None where it does not. Age is in years."""

    id: str = ""
    name: str = ""
    sex: str = ""
    birth_date: date | None = None
    age: float | None = None


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file and its study; UIDs are None unless it is DICOM.

    ``header_patient_id`` is what a DICOM header states, `patient` may also go by the file's name.
    """

    suffix: str
    patient: PatientFacts = field(default_factory=PatientFacts)
    study_uid: str | None = None
    series_uid: str | None = None
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    accession: str = ""
    description: str = ""
    study_date: date | None = None
    device: str = ""
    muscle: str | None = None
    side: str | None = None
    header_patient_id: str = ""


def read_facts(data: bytes | Path, name: str, limits: Limits) -> FileFacts:
    """Look at a file that is offered.

    Parameters
    ----------
    data
        Its bytes, or where they lie.
    name
        What it was called; for messages, and for patient and site if it is no DICOM.
    limits
        Bounds on a deflated DICOM data set.

    Raises
    ------
    UploadError
        If it is nothing that is read here: no image, a DICOM object without pixels, or damaged; `OwnResultError` for
        a heat map of ours that comes back from a PACS or a folder and would count as an image of the patient.
    """
    head = _head(data)
    if is_own_result(head):
        raise OwnResultError(OWN_RESULT, path=name or None)
    try:
        kind = require_kind(head, Path(name))
        if kind is Kind.DICOM:
            return _dicom_facts(data, name, limits)
    except ImageError as error:
        raise UploadError(error.reason, path=name or None, remedy=error.remedy) from error
    named = facts_from_name(PurePath(name))
    return FileFacts(SUFFIXES[kind], PatientFacts(named.patient_id or ""), muscle=named.muscle, side=named.side)


def _head(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data[:HEAD_BYTES]
    try:
        with data.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise UploadError(f"cannot be read: {error.strerror}", path=data) from error


def read_header(data: bytes | Path, name: str, limits: Limits, tags: list[str]) -> Dataset:
    """Elements of a DICOM header, of a file that may be damaged or hostile.

    Parameters
    ----------
    data, name, limits
        As `read_facts`.
    tags
        Keywords of the elements.

    Raises
    ------
    UploadError
        If it is damaged, or deflated and inflates beyond the limit.
    """
    try:
        return _header(data, name, limits, tags)
    except ImageError as error:
        raise UploadError(error.reason, path=name or None, remedy=error.remedy) from error


def _header(data: bytes | Path, name: str, limits: Limits, tags: list[str]) -> Dataset:
    path = Path(name)
    head = _head(data)
    if b"1.2.840.10008.1.2.1.99" in head:  # deflated: what it inflates to is checked before pydicom inflates it
        check_inflated_size(data if isinstance(data, bytes) else data.read_bytes(), path, limits)
    with ExitStack() as opened, decoding(path, "read the DICOM header", also=(InvalidDicomError, BytesLengthException)):
        # Not by name: pydicom would ask the file for as many bytes as a lying element claims to have.
        source = io.BytesIO(data) if isinstance(data, bytes) else opened.enter_context(BoundedFile(data))
        dataset = dcmread(source, force=head[128:132] != b"DICM", stop_before_pixels=True, specific_tags=tags)
        for element in dataset.iterall():
            str(element.value)  # pydicom decodes when first asked: now, where damage is expected
    return dataset


def _dicom_facts(data: bytes | Path, name: str, limits: Limits) -> FileFacts:
    path = Path(name)
    dataset = _header(data, name, limits, _TAGS)
    with decoding(path, "read the DICOM header", also=(InvalidDicomError, BytesLengthException)):
        if not dataset.get("Rows") or not dataset.get("Columns"):
            raise ImageError("is a DICOM object without an image", path=path)
        if str(dataset.get("Manufacturer") or "").strip() == MANUFACTURER:
            raise OwnResultError(OWN_RESULT, path=name or None)
        named = facts_from_name(PurePath(name))
        muscle, side = read_site(dataset)
        return FileFacts(
            suffix=SUFFIXES[Kind.DICOM],
            patient=_patient(dataset, named.patient_id),
            study_uid=_uid(dataset, "StudyInstanceUID"),
            series_uid=_uid(dataset, "SeriesInstanceUID"),
            sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
            sop_class_uid=_uid(dataset, "SOPClassUID"),
            accession=(joined_text(dataset, "AccessionNumber") or "")[:64],
            description=(joined_text(dataset, "StudyDescription") or "")[:200],
            study_date=_date(dataset, "StudyDate"),
            device=(joined_text(dataset, "Manufacturer", "ManufacturerModelName") or "")[:200],
            muscle=muscle or named.muscle,
            side=side or named.side,
            header_patient_id=_patient_id(dataset),
        )


def _patient(dataset: Dataset, named: str | None) -> PatientFacts:
    sex = str(dataset.get("PatientSex") or "").strip().upper()
    born, examined = _date(dataset, "PatientBirthDate"), _date(dataset, "StudyDate")
    age = _age(str(dataset.get("PatientAge") or ""))
    if age is None and born is not None and examined is not None and examined >= born:
        age = round((examined - born).days / _DAYS_PER_YEAR, 1)
    return PatientFacts(
        id=_patient_id(dataset) or (named or "")[:64],
        name=(joined_text(dataset, "PatientName") or "")[:200],
        sex=sex if sex in ("F", "M", "O") else "",
        birth_date=born,
        age=age,
    )


def _patient_id(dataset: Dataset) -> str:
    return (joined_text(dataset, "PatientID") or "")[:64]


def _age(text: str) -> float | None:
    """Years of an Age String (PS3.5 6.2, AS): ``056Y``, ``018M``."""
    number, unit = text.strip()[:-1], text.strip()[-1:].upper()
    return round(int(number) * _YEARS[unit], 1) if number.isdecimal() and unit in _YEARS else None


def _date(dataset: Dataset, keyword: str) -> date | None:
    text = str(dataset.get(keyword) or "").strip()
    try:
        return datetime.strptime(text.replace(".", ""), "%Y%m%d").date()
    except ValueError:
        return None


def _uid(dataset: Dataset, keyword: str) -> str | None:
    text = str(dataset.get(keyword) or "").strip("\0 ")
    return text if text and len(text) <= 64 and all(part.isdecimal() for part in text.split(".")) else None
