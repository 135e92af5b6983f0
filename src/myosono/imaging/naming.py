"""What a file name says: ``<patient>_<site>_<shot>``, for example ``P001_RD_1.png``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from myosono.anatomy import parse_site

_SHOT = re.compile(r"^\d+[A-Za-z]?$")


@dataclass(frozen=True)
class NameFacts:
    """Patient, muscle and side; None where the name does not tell."""

    patient_id: str | None = None
    muscle: str | None = None
    side: str | None = None


def facts_from_name(path: PurePath) -> NameFacts:
    """Read patient, muscle and side from a file name.

    Examples
    --------
    >>> facts_from_name(PurePath("study/P001_RD_1.png"))
    NameFacts(patient_id='P001', muscle='D', side='R')
    >>> facts_from_name(PurePath("holiday.png"))
    NameFacts(patient_id=None, muscle=None, side=None)
    """
    parts = path.stem.split("_")
    if len(parts) < 3 or not _SHOT.match(parts[-1]):
        return NameFacts()
    site = parse_site(parts[-2])
    patient = "_".join(parts[:-2])
    if site is None or not patient:
        return NameFacts()
    return NameFacts(patient, *site)
