"""Which muscles of the protocol a study shows, and which it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from myosono.anatomy import MUSCLES, SIDES

Site = tuple[str, str]
"""Muscle and side, codes of `myosono.anatomy`."""

MYOSITIS_PROTOCOL: tuple[Site, ...] = tuple((muscle, side) for side in SIDES for muscle in MUSCLES)
"""Seven muscles on both sides (Burlina et al. 2017, PLoS ONE 12:e0184059)."""


@dataclass(frozen=True)
class Completeness:
    """How much of a protocol was recorded.

    Attributes
    ----------
    expected, found, missing
        Sites of the protocol, in its order.
    unplaced
        Images whose muscle or side is not known, so that they count for no site.
    """

    expected: tuple[Site, ...]
    found: tuple[Site, ...]
    missing: tuple[Site, ...]
    unplaced: int = 0

    @property
    def text(self) -> str:
        """One line, such as "13 of 14 muscles; missing: left deltoid"."""
        line = f"{len(self.found)} of {len(self.expected)} muscles"
        if self.missing:
            line += "; missing: " + ", ".join(site_name(site) for site in self.missing)
        if self.unplaced:
            line += f"; {self.unplaced} image{'s' if self.unplaced > 1 else ''} without muscle or side"
        return line

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a site is ``{"muscle", "side"}``."""
        return {
            "expected": len(self.expected),
            "found": len(self.found),
            "missing": [{"muscle": muscle, "side": side} for muscle, side in self.missing],
            "unplaced": self.unplaced,
            "text": self.text,
        }


def completeness(
    sites: Iterable[tuple[str | None, str | None]], protocol: tuple[Site, ...] = MYOSITIS_PROTOCOL
) -> Completeness:
    """Compare the muscle and side of each image of one patient with a protocol.

    Examples
    --------
    >>> completeness([("D", "L"), ("D", "L"), (None, "R")], protocol=(("D", "L"), ("D", "R"))).text
    '1 of 2 muscles; missing: right deltoid; 1 image without muscle or side'
    """
    seen = list(sites)
    known = {(muscle, side) for muscle, side in seen if muscle and side}
    return Completeness(
        expected=protocol,
        found=tuple(site for site in protocol if site in known),
        missing=tuple(site for site in protocol if site not in known),
        unplaced=sum(not (muscle and side) for muscle, side in seen),
    )


def site_name(site: Site) -> str:
    """In words, such as "left deltoid"; a muscle outside the myositis protocol keeps its code."""
    muscle, side = site
    return f"{SIDES.get(side, side)} {MUSCLES.get(muscle, muscle)}"
