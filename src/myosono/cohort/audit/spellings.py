"""Patient ids that read like one: ``P001``, ``p001`` and ``P-1`` are probably one person under three names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby

_SEPARATORS = "ZPSC"
"""Unicode categories: spaces, punctuation, symbols, control."""


def same_when_read(patients: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of ids that meet once case, Unicode form, separators and leading zeros are set aside.

    Examples
    --------
    >>> same_when_read(["P001", "p-1", "P1-2", "P12", "P001"])
    (('P001', 'p-1'),)
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for patient in sorted(set(patients)):
        groups.setdefault(_reading(patient), []).append(patient)
    return tuple(tuple(names) for key, names in groups.items() if key and len(names) > 1)


def _reading(name: str) -> tuple[str, ...]:
    """Runs of letters and of digits; two numbers stay two, whatever stands between them, and letters run together."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    parts: list[str] = []
    for kind, characters in groupby(folded, _kind):
        text = "".join(characters)
        if kind == "digit":
            parts.append(text.lstrip("0") or "0")
        elif kind == "letter" and parts and not parts[-1].isdecimal():
            parts[-1] += text
        elif kind == "letter":
            parts.append(text)
    return tuple(parts)


def _kind(character: str) -> str:
    if character.isdecimal():
        return "digit"
    return "separator" if unicodedata.category(character)[0] in _SEPARATORS else "letter"
