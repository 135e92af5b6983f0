"""Degradations of grey images, before any preprocessing of a model; one registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from myosono.errors import UsageError
from myosono.robustness.degradations.base import Degradation
from myosono.robustness.degradations.display import DISPLAY
from myosono.robustness.degradations.geometry import GEOMETRY
from myosono.robustness.degradations.texture import TEXTURE

DEGRADATIONS: Mapping[str, Degradation] = MappingProxyType(
    {found.name: found for found in (*DISPLAY, *GEOMETRY, *TEXTURE)}
)
"""Name -> degradation, in the order in which they are shown."""


def choose_degradations(names: Sequence[str]) -> tuple[Degradation, ...]:
    """Those named, in the registry's order; all if none is.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    for name in names:
        if name not in DEGRADATIONS:
            raise UsageError(f"unknown degradation {name!r}", remedy=f"Known: {', '.join(DEGRADATIONS)}")
    return tuple(found for name, found in DEGRADATIONS.items() if not names or name in names)


__all__ = ["DEGRADATIONS", "Degradation", "choose_degradations"]
