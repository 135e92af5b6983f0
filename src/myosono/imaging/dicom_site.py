"""Muscle and side in a DICOM header: laterality, the coded anatomic region, else what the examiner typed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from myosono.anatomy import SIDES

_MUSCLES = {
    "D": r"deltoid(?:eus)?",
    "B": r"biceps(?! fem)",
    "FCR": r"fcr|flexor carpi radialis|flex carpi rad",
    "FDP": r"fdp|flexor digitorum profundus|flex dig prof",
    "R": r"rectus fem(?:oris)?",
    "T": r"tib(?:ialis)? ant(?:erior)?|ant(?:erior)? tib(?:ialis)?",
    "G": r"gastroc(?:nemius)?|gcm",
}
_PATTERNS = {code: re.compile(rf"\b(?:{pattern})\b") for code, pattern in _MUSCLES.items()}
_SIDE_WORDS = {"L": re.compile(r"\b(?:l|lt|left)\b"), "R": re.compile(r"\b(?:r|rt|right)\b")}
# Site codes such as RT are not looked for: scanners write RT and LT for right and left.
_TYPED = ("ImageComments", "SeriesDescription", "ProtocolName", "AcquisitionContextDescription", "BodyPartExamined")


def read_site(dataset: Dataset) -> tuple[str | None, str | None]:
    """Muscle and side, codes of `myosono.anatomy`, as far as the header tells; None where it does not.

    Parameters
    ----------
    dataset
        The header. Looked at in this order: Image Laterality and Laterality (side only); Anatomic Region Sequence
        with its modifiers (PS3.3 C.7.6.2), by the meanings of its codes; then comments, series, protocol and body
        part as typed in English or Latin. A text that names two muscles, or both sides, tells neither.

    Examples
    --------
    >>> header = Dataset()
    >>> header.SeriesDescription = "LT Biceps brachii long axis"
    >>> read_site(header)
    ('B', 'L')
    """
    muscle: str | None = None
    side = _laterality(dataset)
    for text in _texts(dataset):
        named = _only(_PATTERNS, text)
        if muscle is None and named is not None:
            muscle = named
            side = side or _only(_SIDE_WORDS, text)
    return muscle, side


def _laterality(dataset: Dataset) -> str | None:
    for keyword in ("ImageLaterality", "Laterality"):
        value = str(dataset.get(keyword) or "").strip().upper()
        if value in SIDES:
            return value
    return None


def _texts(dataset: Dataset) -> Iterator[str]:
    for region in dataset.get("AnatomicRegionSequence") or ():
        modifiers = region.get("AnatomicRegionModifierSequence") or ()
        yield _plain(" ".join(str(item.get("CodeMeaning") or "") for item in (region, *modifiers)))
    for keyword in _TYPED:
        yield _plain(str(dataset.get(keyword) or ""))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower())


def _only(patterns: dict[str, re.Pattern[str]], text: str) -> str | None:
    found = [code for code, pattern in patterns.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None
