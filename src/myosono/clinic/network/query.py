"""What is asked of a PACS, and what it answers, the same for C-FIND and QIDO-RS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydicom.dataset import Dataset

from myosono.clinic.network.classes import IMAGE_CLASSES
from myosono.imaging.dicom import stated_text

_KEYS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession": "AccessionNumber",
    "study_date": "StudyDate",
    "modality": "ModalitiesInStudy",
    "study_uid": "StudyInstanceUID",
}
_RETURNED = (
    "StudyTime",
    "StudyDescription",
    "PatientBirthDate",
    "NumberOfStudyRelatedInstances",
)


@dataclass(frozen=True)
class StudyQuery:
    """Matching keys at study level (PS3.4 C.6.2.1); "" matches everything.

    Attributes
    ----------
    patient_id, patient_name, accession, study_uid
        ``*`` and ``?`` are wild cards in names.
    study_date
        ``YYYYMMDD``, or a range such as ``20260101-20260131`` or ``20260101-``.
    modality
        ``US``, ``SR`` ...
    limit
        No more are fetched.
    """

    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    study_date: str = ""
    modality: str = ""
    study_uid: str = ""
    limit: int = 100

    def keys(self) -> dict[str, str]:
        """DICOM keywords and what they must match, without the empty ones."""
        return {keyword: value for name, keyword in _KEYS.items() if (value := getattr(self, name))}

    def identifier(self) -> Dataset:
        """For C-FIND."""
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.QueryRetrieveLevel = "STUDY"
        for keyword in (*_KEYS.values(), *_RETURNED):
            setattr(dataset, keyword, "")
        for keyword, value in self.keys().items():
            setattr(dataset, keyword, value)
        return dataset

    @staticmethod
    def returned() -> list[str]:
        """Attributes that QIDO-RS should add to its answer."""
        return list(_RETURNED)


@dataclass(frozen=True)
class FoundStudy:
    """A study that a PACS has; "" and None where it does not say."""

    study_uid: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    study_date: str
    accession: str
    description: str
    modalities: tuple[str, ...]
    instances: int | None

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> FoundStudy:
        """From an answer to C-FIND or QIDO-RS."""

        def text(keyword: str) -> str:
            return stated_text(dataset, keyword).strip()

        modalities = dataset.get("ModalitiesInStudy") or ()
        count = text("NumberOfStudyRelatedInstances")
        return cls(
            study_uid=text("StudyInstanceUID"),
            patient_id=text("PatientID"),
            patient_name=text("PatientName"),
            patient_birth_date=text("PatientBirthDate"),
            study_date=text("StudyDate"),
            accession=text("AccessionNumber"),
            description=text("StudyDescription"),
            modalities=(modalities,) if isinstance(modalities, str) else tuple(str(one) for one in modalities),
            instances=int(count) if count.isdecimal() else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "modalities": list(self.modalities)}


@dataclass(frozen=True)
class Instance:
    """One object of a study on a PACS."""

    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str

    @property
    def is_image(self) -> bool:
        """Whether it is of a class that we read; True where the PACS does not say."""
        return not self.sop_class_uid or self.sop_class_uid in IMAGE_CLASSES


def level(name: str, **keys: str | list[str]) -> Dataset:
    """An identifier of C-FIND, C-MOVE or C-GET at a level, with what it must match; "" asks for the value."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = name
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def retrieval(study_uid: str, instances: Sequence[Instance]) -> list[Dataset]:
    """Identifiers that retrieve just the images of a study, one a series.

    A report among them would need a presentation context that we do not offer, and some archives end the whole
    retrieval at the first such object.
    """
    identifiers = []
    for series in dict.fromkeys(one.series_uid for one in instances):
        members = [one for one in instances if one.series_uid == series]
        images = [one.sop_instance_uid for one in members if one.is_image]
        keys: dict[str, str | list[str]] = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series}
        if len(images) == len(members):
            identifiers.append(level("SERIES", **keys))
        elif images:
            identifiers.append(level("IMAGE", **keys, SOPInstanceUID=images))
    return identifiers
