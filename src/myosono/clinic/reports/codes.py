"""Standard codes of what a report names, for machines that read it.

Muscles are those of ISO/IEEE 11073-10101 as DICOM PS3.16 lists them (CID 3031), which name the side too. Diagnoses and
sides are SNOMED CT. A test compares muscles and sides with pydicom's copy of the standard.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

SNOMED = "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
LOINC = "http://loinc.org"

_MUSCLE_PARTITION = 7
# Code of the muscle on no side; the left one is the next number, the right one the one after.
_MUSCLE_TERMS = MappingProxyType({"D": 604, "B": 628, "FCR": 664, "FDP": 680, "R": 836, "T": 892, "G": 920})
_MUSCLE_NAMES = MappingProxyType(
    {
        "D": "Musculus deltoideus",
        "B": "Musculus biceps brachii",
        "FCR": "Musculus flexor carpi radialis",
        "FDP": "Musculus flexor digitorum profundus",
        "R": "Musculus rectus femoris",
        "T": "Musculus tibialis anterior",
        "G": "Musculus gastrocnemius",
    }
)
_SIDE_OFFSETS = MappingProxyType({"L": (1, ", left"), "R": (2, ", right")})


@dataclass(frozen=True)
class Code:
    """A concept: the code system's URI, the code in it, and how the system calls it."""

    system: str
    value: str
    display: str


@dataclass(frozen=True)
class MuscleCode:
    """A muscle of one side, or of an unknown one, in ISO/IEEE 11073-10101.

    Attributes
    ----------
    term
        ``partition:code``, as DICOM writes it.
    number
        The same as one number, partition · 2^16 + code, as FHIR writes it.
    """

    term: str
    number: int
    meaning: str


def muscle_code(muscle: str | None, side: str | None) -> MuscleCode | None:
    """The code of a muscle of `myosono.anatomy`, None for others.

    Examples
    --------
    >>> muscle_code("B", "L")
    MuscleCode(term='7:629', number=459381, meaning='Musculus biceps brachii, left')
    """
    if muscle is None or muscle not in _MUSCLE_TERMS:
        return None
    offset, suffix = _SIDE_OFFSETS.get(side or "", (0, ""))
    code = _MUSCLE_TERMS[muscle] + offset
    return MuscleCode(f"{_MUSCLE_PARTITION}:{code}", _MUSCLE_PARTITION * 2**16 + code, _MUSCLE_NAMES[muscle] + suffix)


SIDES = MappingProxyType({"L": Code(SNOMED, "7771000", "Left"), "R": Code(SNOMED, "24028007", "Right")})

DIAGNOSES = MappingProxyType(
    {
        "IBM": Code(SNOMED, "72315009", "Inclusion body myositis"),
        "PM": Code(SNOMED, "31384009", "Polymyositis"),
        "DM": Code(SNOMED, "396230008", "Dermatomyositis"),
    }
)
"""A model's class -> code. ``Normal`` has none: that a disease was not found is no diagnosis."""

ECHOGENICITY = Code(DICOM, "110849", "Echogenicity")
Z_SCORE = Code(DICOM, "113071", "Z-score")
THICKNESS = Code(LOINC, "59089-3", "Thickness")
IMAGING_REPORT = Code(LOINC, "18748-4", "Diagnostic imaging study")
ULTRASOUND = Code(DICOM, "US", "Ultrasound")
PROBABILITY = Code(DICOM, "122157", "Probability")
