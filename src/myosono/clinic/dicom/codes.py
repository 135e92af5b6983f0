"""Coded concepts of what we write: standard codes, and those of the private scheme where the standard has none.

A standard code is used only where DICOM PS3.16 itself lists it, or (the three myositides) where it was checked against
published terminologies. Muscles other than the deltoid have no SNOMED CT code in PS3.16; it lists them in CID 3031
with their ISO/IEEE 11073-10101 codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from myosono.clinic.terms import DIAGNOSES, MUSCLE_PARTITION, MUSCLES
from myosono.hashing import sha256_bytes

SCHEME = "99MYOSONO"
"""Coding scheme designator of the private codes; all are listed in docs/dicom.md."""

MUSCLE_CODES: Mapping[str, Code] = MappingProxyType(
    {muscle: Code(f"{MUSCLE_PARTITION}:{number}", "MDC", name) for muscle, (number, name) in MUSCLES.items()}
    | {"D": Code("35259002", "SCT", "Deltoid muscle")}
)
"""Muscle code of `myosono.anatomy` -> finding site."""

SIDE_CODES: Mapping[str, Code] = MappingProxyType({"L": codes.SCT.Left, "R": codes.SCT.Right})
"""Side code -> laterality (CID 244)."""

CLASS_CODES: Mapping[str, Code] = MappingProxyType(
    {"Normal": codes.SCT.Normal} | {name: Code(code, "SCT", meaning) for name, (code, meaning) in DIAGNOSES.items()}
)
"""Diagnosis of `myosono.anatomy` -> its code. Other class names get a private one: see `class_code`."""

INDETERMINATE = codes.SCT.Indeterminate
PREDICTION_SET = Code("PREDICTION-SET", SCHEME, "Member of the conformal prediction set")
AGREEMENT = Code("AGREEMENT", SCHEME, "Physician agrees with the algorithm's answer")
HECKMATT = Code("HECKMATT", SCHEME, "Heckmatt grade of muscle echogenicity")
_GRADES = ("normal", "increased, bone echo distinct", "increased, bone echo reduced", "very strong, bone echo lost")

_VALUE_LENGTH = 16  # of Code Value (SH), PS3.5 6.2
_MEANING_LENGTH = 64  # of Code Meaning (LO)


def class_code(name: str) -> Code:
    """Code of a class: standard for the diagnoses, private for any other name.

    Examples
    --------
    >>> class_code("DM").value, class_code("affected").value
    ('396230008', 'CLASS-AFFECTED')
    """
    if name in CLASS_CODES:
        return CLASS_CODES[name]
    value = f"CLASS-{name.upper()}"
    if len(value) > _VALUE_LENGTH or not re.fullmatch(r"[A-Z0-9+_-]+", value):
        value = f"CLASS-{sha256_bytes(name.encode())[:10].upper()}"
    return Code(value, SCHEME, _lo(name))


def heckmatt_code(grade: int) -> Code:
    """Code of a Heckmatt grade, 1 to 4 (Heckmatt et al. 1982, J Pediatr 101:656).

    Examples
    --------
    >>> heckmatt_code(2).meaning
    'Heckmatt grade 2: increased, bone echo distinct'
    """
    return Code(f"HECKMATT-{grade}", SCHEME, f"Heckmatt grade {grade}: {_GRADES[grade - 1]}")


def _lo(text: str) -> str:
    return text.replace("\\", "/")[:_MEANING_LENGTH]
