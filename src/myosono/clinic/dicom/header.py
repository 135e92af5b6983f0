"""What every object that we write has in common: patient, study, series, equipment, identity and times.

The UIDs of an object are derived from what it says (PS3.5 B.2, from a UUID), and its times from the study's, so that
making it again gives the same object byte for byte: a PACS that receives it twice has it once.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

import myosono
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError
from myosono.imaging.dicom import stated_text

_NAMESPACE = uuid.UUID("6f0f4f0e-3a2b-5c39-9f0a-0c1d5c3c7e5a")
IMPLEMENTATION_UID = UID(f"2.25.{uuid.uuid5(_NAMESPACE, 'myosono implementation').int}")
IMPLEMENTATION_NAME = "MYOSONO"
STATEMENT = "Output of an algorithm without regulatory approval: not for clinical use."
"""What every object says, whatever the model; the model's own warnings (`StudyView.banners`) follow it."""

_COPIED = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
# Type 2 of the modules above: present even if nothing is known.
_REQUIRED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber",
)  # fmt: skip
_FORMS = {
    "PatientBirthDate": r"\d{8}",
    "StudyDate": r"\d{8}",
    "StudyTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
    "PatientSex": r"[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "PatientSize": r"\d{1,6}(\.\d{0,6})?",
    "PatientWeight": r"\d{1,6}(\.\d{0,6})?",
    "TimezoneOffsetFromUTC": r"(-(0\d|1[01])|\+(0\d|1[0-3]))[0-5]\d|-1200|\+1400",  # PS3.3 C.12.1.1.8: -1200 to +1400
}


def derived_uid(*parts: object) -> UID:
    """A UID that is the same for the same parts, and for no others.

    Examples
    --------
    >>> derived_uid("1.2.3", "sr") == derived_uid("1.2.3", "sr"), derived_uid("1.2.3", "sr").is_valid
    (True, True)
    """
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(str(part) for part in parts)).int}")


def check_sources(view: StudyView, sources: Iterable[Dataset]) -> list[Dataset]:
    """The source headers in the order of their UIDs.

    Raises
    ------
    ClinicError
        If there are none (an uploaded picture has no DICOM header), one belongs to another study, or nothing has been
        read yet.
    """
    found = sorted(sources, key=lambda source: str(source.SOPInstanceUID))
    if not found:
        raise ClinicError(
            f"study {view.id} holds no DICOM image that a result could refer to",
            remedy="Send the images over DICOM or upload DICOM files; for pictures use the PDF, CSV or FHIR report.",
        )
    strangers = {str(source.StudyInstanceUID) for source in found} - {view.study_uid}
    if strangers:
        raise ClinicError(
            f"study {view.id} is {view.study_uid}, but a source image belongs to {sorted(strangers)[0]}",
            remedy="Load the study's own images with dicom.objects.load_sources.",
        )
    if not view.model:
        raise ClinicError(f"no image of study {view.id} has been read", remedy="Wait until its status is 'read'.")
    return found


def naming_source(sources: Sequence[Dataset]) -> Dataset:
    """The source whose patient our objects state: one with a Patient ID, since a PACS files by it."""
    return next((source for source in sources if str(source.get("PatientID") or "").strip()), sources[0])


def new_object(
    view: StudyView, source: Dataset, sop_class: UID, *, kind: str, modality: str, number: int, description: str
) -> Dataset:
    """A data set with the modules that all our objects share; `finish` completes it.

    Parameters
    ----------
    view
        The study.
    source
        Header of one source image: patient and study are copied from it, since a PACS files by them.
    sop_class
        Of the object.
    kind
        ``sr``, ``capture`` or ``pdf``: each has a series of its own, one a model.
    modality, number, description
        Of the series.
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    for keyword in _COPIED:
        value = clean_text(keyword, source)
        if value or keyword in _REQUIRED:
            setattr(dataset, keyword, value)
    dataset.Modality = modality
    dataset.SeriesInstanceUID = derived_uid("series", view.study_uid, kind, view.model.get("sha256", ""))
    dataset.SeriesNumber = number
    dataset.SeriesDescription = description
    dataset.InstanceNumber = 1
    dataset.Manufacturer = "myosono"
    dataset.ManufacturerModelName = str(view.model.get("name", ""))[:64]
    dataset.SoftwareVersions = [f"myosono {myosono.__version__}", f"model {str(view.model.get('sha256', ''))[:16]}"]
    moment = local_time(stated_at(view), dataset)
    dataset.InstanceCreationDate = dataset.ContentDate = dataset.SeriesDate = moment.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = dataset.SeriesTime = moment.strftime("%H%M%S")
    return dataset


def finish(dataset: Dataset, view: StudyView, kind: str) -> Dataset:
    """Give the object its identity, from all that it says, and the file's meta information (PS3.10)."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    said = hashlib.sha256()
    _digest(dataset, said.update)
    dataset.SOPInstanceUID = derived_uid("instance", view.study_uid, kind, said.hexdigest())
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_NAME
    return dataset


def is_multi_frame(source: Dataset) -> bool:
    """Whether a reference must say which frame; a damaged count means one."""
    count = source.get("NumberOfFrames")
    return isinstance(count, int) and count > 1


def stated_at(view: StudyView) -> datetime:
    """When what the object says was so: the signature if there is one, else the study's last change."""
    signed = view.signed
    return signed.signed_at if signed is not None and signed.signed_at is not None else view.updated


def local_time(moment: datetime, dataset: Dataset) -> datetime:
    """In the zone that the object's other times are in: the stated offset, else this computer's (PS3.3 C.12.1.1.8)."""
    offset = str(dataset.get("TimezoneOffsetFromUTC") or "")
    if not offset:
        return moment.astimezone()
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return moment.astimezone(timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)))


def references(sources: Sequence[Dataset]) -> list[Dataset]:
    """Hierarchical references (PS3.3 Table 10-3b macro): study, series, instances."""
    series: dict[str, list[Dataset]] = {}
    for source in sources:
        series.setdefault(str(source.SeriesInstanceUID), []).append(instance_reference(source))
    study = Dataset()
    study.ReferencedSeriesSequence = []
    for uid, instances in series.items():
        one = Dataset()
        one.SeriesInstanceUID = uid
        one.ReferencedSOPSequence = instances
        study.ReferencedSeriesSequence.append(one)
    study.StudyInstanceUID = sources[0].StudyInstanceUID
    return [study]


def instance_reference(source: Dataset, frames: Sequence[int] = ()) -> Dataset:
    """SOP instance reference macro (PS3.3 Table 10-11); ``frames`` count from 1 and are for multi-frame images."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def clean_text(keyword: str, source: Dataset) -> str:
    """Text of a value to be copied; one that the standard does not allow there is left out rather than passed on."""
    first = stated_text(source, keyword).partition("\\")[0] if source.get(keyword) else ""
    text = "".join(sign for sign in first if sign.isprintable()).strip()
    form = _FORMS.get(keyword)
    return text if form is None or re.fullmatch(form, text) else ""


def _digest(dataset: Dataset, update: Callable[[bytes], None]) -> None:
    """Feed all elements to a hash; writing the file to hash it takes a minute for a long cine loop."""
    for element in dataset:
        update(f"{int(element.tag):08x}{element.VR}".encode())
        if element.VR == "SQ":
            for item in element.value:
                update(b"(")
                _digest(item, update)
                update(b")")
        else:
            update(element.value if isinstance(element.value, bytes) else f"{element.value}\0".encode())
