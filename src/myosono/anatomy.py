"""Muscles, sides and diagnoses of the myositis protocol (Burlina et al. 2017, PLoS ONE 12:e0184059)."""

from __future__ import annotations

import re
from types import MappingProxyType

MUSCLES = MappingProxyType(
    {
        "D": "deltoid",
        "B": "biceps brachii",
        "FCR": "flexor carpi radialis",
        "FDP": "flexor digitorum profundus",
        "R": "rectus femoris",
        "T": "tibialis anterior",
        "G": "gastrocnemius",
    }
)
"""Muscle code -> name, from proximal arm to distal leg."""

SIDES = MappingProxyType({"L": "left", "R": "right"})
"""Side code -> name."""

DIAGNOSES = MappingProxyType(
    {
        "Normal": "no inflammatory myopathy",
        "IBM": "inclusion body myositis",
        "PM": "polymyositis",
        "DM": "dermatomyositis",
    }
)
"""Diagnosis -> meaning, in the order in which classes are listed everywhere."""

_SITE = re.compile(r"^(?P<side>[LR])(?P<muscle>FCR|FDP|D|B|R|T|G)$")


def parse_site(code: str) -> tuple[str, str] | None:
    """Split a site code such as ``RD`` (right deltoid) into muscle and side.

    Returns
    -------
    (muscle, side) or None
        ``None`` if the code is not side + muscle.

    Examples
    --------
    >>> parse_site("RD"), parse_site("LFDP"), parse_site("XX")
    (('D', 'R'), ('FDP', 'L'), None)
    """
    match = _SITE.match(code.strip().upper())
    return (match["muscle"], match["side"]) if match else None
