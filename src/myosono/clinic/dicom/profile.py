"""The basic application level confidentiality profile (DICOM PS3.15 Annex E, Table E.1-1): which action for which tag.

The table itself comes from dicom-anonymizer, which keeps it in step with the standard; the actions are ours
(`elements.py`), since that package replaces dates that the profile removes and draws new UIDs for every run.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from enum import Enum
from functools import cache

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from myosono.errors import UsageError
from myosono.imaging import Area

TABLE = "dicomfields_2026c"
"""Edition of the standard that the table is of."""

SHORTEST_SALT = 16


class Action(Enum):
    """What is done to an element. Of two, the second only where the IOD needs a value (PS3.15 E.1.1)."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    NEW_UID = "U"
    EMPTY_OR_DUMMY = "Z/D"
    REMOVE_OR_EMPTY = "X/Z"
    REMOVE_OR_DUMMY = "X/D"
    REFERENCES = "X/Z/U*"  # kept, with new UIDs


_ACTIONS = {
    "X_TAGS": Action.REMOVE,
    "Z_TAGS": Action.EMPTY,
    "D_TAGS": Action.DUMMY,
    "U_TAGS": Action.NEW_UID,
    "Z_D_TAGS": Action.EMPTY_OR_DUMMY,
    "X_Z_TAGS": Action.REMOVE_OR_EMPTY,
    "X_D_TAGS": Action.REMOVE_OR_DUMMY,
    "X_Z_D_TAGS": Action.REMOVE_OR_DUMMY,
    "X_Z_U_STAR_TAGS": Action.REFERENCES,
}

# Columns of Table E.1-1 for the options, as far as images have them.
_DEVICE = (
    "CassetteID", "DeviceDescription", "DeviceLabel", "DeviceSerialNumber", "DeviceUID", "GantryID", "GeneratorID",
    "LensMake", "LensModel", "LensSerialNumber", "LensSpecification", "ManufacturerDeviceClassUID",
    "ManufacturerDeviceIdentifier", "PerformedStationAETitle", "PerformedStationGeographicLocationCodeSequence",
    "PerformedStationName", "PerformedStationNameCodeSequence", "PlateID", "ScheduledProcedureStepLocation",
    "ScheduledStationAETitle", "ScheduledStationGeographicLocationCodeSequence", "ScheduledStationName",
    "ScheduledStationNameCodeSequence", "ScheduledStudyLocation", "ScheduledStudyLocationAETitle",
    "SourceManufacturer", "SourceSerialNumber", "StationName", "TransducerIdentificationSequence", "UDISequence",
    "UniqueDeviceIdentifier",
)  # fmt: skip
_CHARACTERISTICS = (
    "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "EthnicGroup",
    "EthnicGroups", "SmokingStatus", "PregnancyStatus", "PatientSexNeutered",
)  # fmt: skip
# Dates of the person, not of the examination: no option keeps them.
NEVER_KEPT = frozenset(
    Tag(name)
    for name in (
        "PatientBirthDate",
        "PatientBirthTime",
        "PatientBirthDateInAlternativeCalendar",
        "PatientDeathDateInAlternativeCalendar",
    )
)


@dataclass(frozen=True)
class DeidentifyOptions:
    """How to de-identify.

    Attributes
    ----------
    salt
        A secret of at least 16 bytes. The same salt gives a patient, study or image the same new identity, so that
        what is exported today joins what is exported tomorrow; who has it can test guesses, so keep it.
    clean_pixels
        Blank all outside the B-mode area (Clean Pixel Data Option). Without it burnt-in text stays.
    area
        B-mode area, where the header declares none and it must not be looked for.
    retain_device
        Keep serial numbers and the like (Retain Device Identity Option). Make and model are kept anyway.
    retain_characteristics
        Keep sex, age, size, weight and ethnic group (Retain Patient Characteristics Option).
    shift_dates
        Keep dates, shifted into the past by a number of days of the patient's own, and times of day (Retain
        Longitudinal Temporal Information With Modified Dates Option). Dates of birth and death are never kept.
    """

    salt: bytes
    clean_pixels: bool = True
    area: Area | None = None
    retain_device: bool = False
    retain_characteristics: bool = False
    shift_dates: bool = False

    def __post_init__(self) -> None:
        """Refuse a salt that could be guessed."""
        if len(self.salt) < SHORTEST_SALT:
            raise UsageError(
                f"a salt of {len(self.salt)} bytes", remedy=f"Take {SHORTEST_SALT} or more from secrets.token_bytes."
            )

    def methods(self) -> list[Code]:
        """Codes of what was applied (CID 7050)."""
        dcm = codes.DCM
        applied = [dcm.BasicApplicationConfidentialityProfile]
        applied += [dcm.CleanPixelDataOption] if self.clean_pixels else []
        applied += [dcm.RetainLongitudinalTemporalInformationModifiedDatesOption] if self.shift_dates else []
        applied += [dcm.RetainPatientCharacteristicsOption] if self.retain_characteristics else []
        applied += [dcm.RetainDeviceIdentityOption] if self.retain_device else []
        return applied


class Secret:
    """New identities out of old ones, by a keyed hash of the salt.

    Examples
    --------
    >>> secret = Secret(b"0123456789abcdef")
    >>> secret.uid("1.2.3") == secret.uid("1.2.3"), secret.uid("1.2.3") == secret.uid("1.2.4")
    (True, False)
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def uid(self, old: str) -> UID:
        """New UID; those that the standard assigns (transfer syntaxes, classes) stay."""
        if old.startswith("1.2.840.10008.") or not old:
            return UID(old)
        return UID(f"2.25.{uuid.UUID(bytes=self._hash('uid', old)[:16], version=5).int}")

    def patient(self, dataset: Dataset) -> str:
        """Pseudonym of the patient, "" if the header names none."""
        known = _identity(dataset)
        return f"P-{self._hash('patient', known).hex()[:12].upper()}" if known else ""

    def days(self, dataset: Dataset) -> int:
        """Days by which the patient's dates move into the past, 1 to 3650."""
        number = int.from_bytes(self._hash("days", _identity(dataset))[:4], "big")
        return 1 + number % 3650

    def _hash(self, purpose: str, text: str) -> bytes:
        return hmac.new(self._salt, f"{purpose}\x1f{text}".encode(), hashlib.sha256).digest()


def action_for(tag: BaseTag) -> Action | None:
    """The basic profile's action; None where the table does not name the tag, or the option of a group keeps it."""
    exact, groups = _table()
    if tag in exact:
        return exact[tag]
    for group, group_mask, element, element_mask in groups:
        if tag.group & group_mask == group and tag.element & element_mask == element & element_mask:
            return Action.REMOVE
    return None


@cache
def kept_by_option(retain_device: bool, retain_characteristics: bool) -> frozenset[BaseTag]:
    """Tags that the options keep."""
    names = (_DEVICE if retain_device else ()) + (_CHARACTERISTICS if retain_characteristics else ())
    return frozenset(Tag(name) for name in names if tag_for_keyword(name) is not None)


@cache
def _table() -> tuple[dict[BaseTag, Action], list[tuple[int, int, int, int]]]:
    table = dicom_anonymization_database_selector(TABLE)
    exact: dict[BaseTag, Action] = {}
    groups: list[tuple[int, int, int, int]] = []
    for name, action in _ACTIONS.items():
        for tag in table[name]:
            if len(tag) == 2:
                exact[Tag(tag)] = action
            else:
                group, element, group_mask, element_mask = tag
                groups.append((group, group_mask, element, element_mask))
    return exact, groups


def _identity(dataset: Dataset) -> str:
    """What makes the patient the same one: the ID and who issued it, else the name."""
    number, name = (str(dataset.get(keyword) or "").strip() for keyword in ("PatientID", "PatientName"))
    issuer = str(dataset.get("IssuerOfPatientID") or "").strip()
    return f"{number}\x1f{issuer}" if number else name
