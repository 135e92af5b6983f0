"""The actions of the confidentiality profile on the elements of a header, down into every sequence."""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta
from typing import Any

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from myosono.clinic.dicom.profile import NEVER_KEPT, Action, DeidentifyOptions, Secret, action_for, kept_by_option

_DUMMY_TEXT = "ANONYMIZED"
_DUMMIES: dict[str, Any] = {
    "AS": "000Y",
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "DS": "0",
    "IS": "0",
    "UR": "http://anonymized.invalid",
}
_NUMBERS = ("FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "AT")
_BYTES = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
_TIMES = ("DA", "DT", "TM")
_TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
# Pixels and pictures of the image anywhere but in its own Pixel Data: a thumbnail shows the patient's name too.
_PIXELS = frozenset(Tag(name) for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "IconImageSequence"))
_OVERLAYS, _CURVES = (0x6000, 0x60FF), (0x5000, 0x50FF)
_NAMING = ("PatientName", "PatientID", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
           "AccessionNumber", "PatientAddress", "PatientTelephoneNumbers", "ReferringPhysicianName", "OperatorsName",
           "PerformingPhysicianName", "PhysiciansOfRecord", "InstitutionName")  # fmt: skip
_SHORTEST_NAME = 4
_UNREADABLE = (ArithmeticError, AttributeError, BytesLengthException, LookupError, NotImplementedError, TypeError,
               ValueError, struct.error)  # fmt: skip
# Where a value is optional in the image IODs of one frame format, and needed in the enhanced multi-frame ones.
_CLASSIC = {
    Action.EMPTY_OR_DUMMY: Action.EMPTY,
    Action.REMOVE_OR_EMPTY: Action.REMOVE,
    Action.REMOVE_OR_DUMMY: Action.REMOVE,
}
_ENHANCED = {
    Action.EMPTY_OR_DUMMY: Action.DUMMY,
    Action.REMOVE_OR_EMPTY: Action.EMPTY,
    Action.REMOVE_OR_DUMMY: Action.DUMMY,
}


class Scrubber:
    """Applies the profile to one data set, in place.

    Parameters
    ----------
    dataset
        The header; names and dates are judged by what it says of the patient.
    options
        What to keep.
    """

    def __init__(self, dataset: Dataset, options: DeidentifyOptions) -> None:
        self._secret = Secret(options.salt)
        self._shift = timedelta(days=self._secret.days(dataset)) if options.shift_dates else None
        self._kept = kept_by_option(options.retain_device, options.retain_characteristics)
        self._patient = self._secret.patient(dataset)
        self._names = names_of(dataset)
        self._resolve = _ENHANCED if "SharedFunctionalGroupsSequence" in dataset else _CLASSIC

    def clean(self, dataset: Dataset) -> None:
        """Apply the profile to all elements, and put the pseudonym in."""
        self._clean(dataset, top=True)
        dataset.PatientName = dataset.PatientID = self._patient

    def _clean(self, dataset: Dataset, *, top: bool = False, dummy: bool = False) -> None:
        for tag in list(dataset.keys()):
            element = readable(dataset, tag)
            if element is None or (element.tag in _PIXELS and not (top and element.keyword == "PixelData")):
                del dataset[tag]
            elif element.keyword != "PixelData":
                self._apply(dataset, element, dummy=dummy)

    def _apply(self, dataset: Dataset, element: DataElement, *, dummy: bool) -> None:
        action = self._action(element, dummy=dummy)
        if element.VR == "SQ" and action not in (Action.REMOVE, Action.EMPTY):
            for item in element.value:
                self._clean(item, dummy=dummy or action is Action.DUMMY)
        elif action is Action.REMOVE:
            del dataset[element.tag]
        elif action is Action.EMPTY or (action is None and self._tells(element)):
            element.value = [] if element.VR == "SQ" else _empty(element.VR)
        elif action is Action.NEW_UID or (action is Action.DUMMY and element.VR == "UI"):
            element.value = self._new_uids(element.value)
        elif action is Action.DUMMY:
            element.value = _dummy(element.VR)
        elif self._shift is not None and element.VR in ("DA", "DT"):
            _move(dataset, element, self._shift)

    def _action(self, element: DataElement, *, dummy: bool) -> Action | None:
        if _nowhere_defined(element) or element.tag in NEVER_KEPT:
            return Action.EMPTY if element.keyword == "PatientBirthDate" else Action.REMOVE
        found = action_for(element.tag)
        found = None if found is None else self._resolve.get(found, found)
        if element.tag in self._kept:
            return None
        if element.VR in _TIMES:
            if self._shift is not None:
                return None
            return found or Action.REMOVE
        if found is None and dummy and element.VR != "SQ":
            return Action.DUMMY
        return found

    def _new_uids(self, value: Any) -> Any:
        if isinstance(value, MultiValue | list | tuple):
            return [self._secret.uid(str(one)) for one in value]
        return self._secret.uid(str(value or ""))

    def _tells(self, element: DataElement) -> bool:
        """Whether an element that the table does not name repeats a name or number of the person all the same."""
        if element.VR in _BYTES:
            held = element.value if isinstance(element.value, bytes) else b""
            return any(name.encode(code, "ignore") in held for name in self._names for code in ("utf-8", "gb18030"))
        if element.VR not in _TEXTS:
            return False
        said = str(element.value).casefold()
        return any(name.casefold() in said for name in self._names)


def names_of(dataset: Dataset) -> frozenset[str]:
    """Names and numbers that tell who the patient is, as whole values and in parts, if long enough to be telling."""
    found: set[str] = set()
    for keyword in _NAMING:
        element = readable(dataset, Tag(keyword)) if keyword in dataset else None
        if element is None:
            continue
        for one in element.value if isinstance(element.value, MultiValue) else [element.value]:
            text = str(one or "").strip()
            parts = re.split(r"[\^= ]", text) if element.VR == "PN" else []
            found.update(part.strip() for part in (text, *parts))
    return frozenset(one for one in found if len(one) >= _SHORTEST_NAME or (one and not one.isascii() and len(one) > 1))


def readable(dataset: Dataset, tag: Any) -> DataElement | None:
    """The element, None if its value cannot be read: what cannot be judged is not passed on."""
    try:
        element: DataElement = dataset[tag]
    except _UNREADABLE:
        return None
    return element


def _nowhere_defined(element: DataElement) -> bool:
    """Private, unknown to the data dictionary, a curve or an overlay: nobody can tell what it says."""
    group = element.tag.group
    if element.tag.is_private or element.VR == "UN" or group % 2:
        return True
    if _OVERLAYS[0] <= group <= _OVERLAYS[1] or _CURVES[0] <= group <= _CURVES[1]:
        return True
    return not dictionary_has_tag(element.tag)


def _dummy(vr: str) -> Any:
    if vr in _NUMBERS:
        return 0
    if vr in _BYTES:
        return b"\0\0"
    return _DUMMIES.get(vr, _DUMMY_TEXT)


def _empty(vr: str) -> Any:
    return None if vr in _NUMBERS else b"" if vr in _BYTES else ""


def _move(dataset: Dataset, element: DataElement, by: timedelta) -> None:
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    moved = [_moved(str(one or ""), by) for one in values]
    if any(one is None for one in moved):
        del dataset[element.tag]
    else:
        element.value = moved if len(moved) > 1 else moved[0]


def _moved(text: str, by: timedelta) -> str | None:
    """A date or date-time, moved; None if it is none. Less than a day's precision cannot be moved by days."""
    if not text.strip():
        return ""
    try:
        day = datetime.strptime(text[:8], "%Y%m%d")
        return (day - by).strftime("%Y%m%d") + text[8:]
    except (ValueError, OverflowError):
        return None
