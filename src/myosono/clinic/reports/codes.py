"""Standard codes of what a report names, for machines that read it.

Muscles are those of ISO/IEEE 11073-10101 as DICOM PS3.16 lists them (CID 3031), which name the side too. Diagnoses and
sides are SNOMED CT. A test compares muscles and sides with pydicom's copy of the standard.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from myosono.clinic import terms
from myosono.clinic.terms import MUSCLE_PARTITION, MUSCLES

SNOMED = "http://snomed.info/sct"
MDC = "urn:iso:std:iso:11073:10101"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
LOINC = "http://loinc.org"

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
    if muscle is None or muscle not in MUSCLES:
        return None
    offset, suffix = _SIDE_OFFSETS.get(side or "", (0, ""))
    code, name = MUSCLES[muscle][0] + offset, MUSCLES[muscle][1] + suffix
    return MuscleCode(f"{MUSCLE_PARTITION}:{code}", MUSCLE_PARTITION * 2**16 + code, name)


SIDES = MappingProxyType({"L": Code(SNOMED, "7771000", "Left"), "R": Code(SNOMED, "24028007", "Right")})

DIAGNOSES = MappingProxyType({name: Code(SNOMED, code, meaning) for name, (code, meaning) in terms.DIAGNOSES.items()})
"""A model's class -> code; ``Normal`` has none."""

ECHOGENICITY = Code(DICOM, "110849", "Echogenicity")
Z_SCORE = Code(DICOM, "113071", "Z-score")
THICKNESS = Code(LOINC, "59089-3", "Thickness")
IMAGING_REPORT = Code(LOINC, "18748-4", "Diagnostic imaging study")
ULTRASOUND = Code(DICOM, "US", "Ultrasound")
PROBABILITY = Code(DICOM, "122157", "Probability")
