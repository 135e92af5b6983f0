"""Small parts of FHIR resources: references, concepts, quantities."""

from __future__ import annotations

import re
from typing import Any

from myosono.clinic.reports.codes import Code

UCUM = "http://unitsofmeasure.org"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def storable(value: Any) -> Any:
    """A JSON value without what FHIR forbids in text (R4, 2.24.0.1): control characters, halves of characters.

    They come in damaged headers; a report of such a study is worth more without them than not made.
    """
    if isinstance(value, dict):
        return {key: storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return (_FORBIDDEN.sub("", value).strip() or "?") if isinstance(value, str) else value


def url_of(identity: str) -> str:
    """How a resource of the bundle is referred to."""
    return f"urn:uuid:{identity}"


def reference(identity: str) -> dict[str, Any]:
    """A reference to a resource of the bundle."""
    return {"reference": url_of(identity)}


def coding(code: Code) -> dict[str, Any]:
    """A code of a standard."""
    return {"system": code.system, "code": code.value, "display": code.display}


def concept(code: Code, text: str | None = None) -> dict[str, Any]:
    """A concept with a standard's code, and how it is called here."""
    return {"coding": [coding(code)], "text": text or code.display}


def text_concept(text: str) -> dict[str, Any]:
    """A concept that no standard has a code for: FHIR allows text alone, which is better than a code of our own."""
    return {"text": text}


def quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    """A measure with its UCUM unit, to six digits: more the measures do not carry."""
    return {"value": float(f"{value:.6g}"), "unit": unit, "system": UCUM, "code": code}
