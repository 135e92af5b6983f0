"""Who takes part in a sweep: networks by name, each with its start, so that both starts of one can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from myosono.errors import UsageError

PRETRAINED_ENDING = ":pretrained"
"""Ends the name of a network that starts from pretrained weights; no timm name ends so."""


class Entrant(NamedTuple):
    """A network and whether it starts from pretrained weights."""

    model: str
    pretrained: bool = False

    def __str__(self) -> str:
        return self.model + (PRETRAINED_ENDING if self.pretrained else "")


def parse_entrant(name: str, pretrained: Sequence[str] = ()) -> Entrant:
    """The network that a name stands for.

    Parameters
    ----------
    name
        ``model`` or ``model:pretrained``.
    pretrained
        Models that start from pretrained weights without the ending.

    Examples
    --------
    >>> parse_entrant("stanet_s:pretrained"), parse_entrant("lcnet_050", ["lcnet_050"])
    (Entrant(model='stanet_s', pretrained=True), Entrant(model='lcnet_050', pretrained=True))
    """
    model = name.removesuffix(PRETRAINED_ENDING)
    return Entrant(model, model != name or model in pretrained)


def order_entrants(names: Sequence[str], pretrained: Sequence[str] = (), flagship: str | None = None) -> list[Entrant]:
    """Entrants in the order in which they are fitted, the flagship first.

    Parameters
    ----------
    names
        As of :func:`parse_entrant`; one network may stand here with both starts.
    pretrained
        Those of ``names`` that start from pretrained weights, for whoever does not write the ending.
    flagship
        One of ``names``. Default: the first.

    Raises
    ------
    UsageError
        If there are no names, one stands there twice with the same start, or a flagship or pretrained name is not
        among them.
    """
    given = unique([parse_entrant(name, pretrained) for name in names], "model")
    for name in pretrained:
        if name not in names:
            raise _stranger(name, names)
    if flagship is None:
        return given
    first = parse_entrant(flagship, pretrained)
    if first not in given:
        raise _stranger(flagship, names)
    return [first, *(one for one in given if one != first)]


def unique(values: Sequence[Any], what: str) -> list[Any]:
    """The values, if there are any and none stands there twice.

    Raises
    ------
    UsageError
        Otherwise.
    """
    if not values:
        raise UsageError(f"a comparison needs at least one {what}")
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise UsageError(f"{what} {str(twice)!r} is named twice")
    return list(values)


def _stranger(name: str, names: Sequence[str]) -> UsageError:
    return UsageError(f"{name!r} is not among the models {', '.join(names)}", remedy="Add it to --models")
