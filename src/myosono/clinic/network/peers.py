"""Peers by the name that pages and rules call them, or by an address typed on the command line."""

from __future__ import annotations

import re

from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import NotFoundError

_ADDRESS = re.compile(r"(?P<ae>[^@]{1,16})@(?P<host>\[[0-9a-fA-F:]+\]|[^:@\s]+):(?P<port>\d{1,5})")


def find_peers(settings: ClinicSettings) -> tuple[Peer, ...]:
    """All peers of the settings, in their order, for a page or a table."""
    return settings.pacs.peers


def find_peer(settings: ClinicSettings, name: str) -> Peer:
    """The peer of a name, or of an address ``AE_TITLE@host:port``.

    Raises
    ------
    NotFoundError
        Listing the peers that there are.
    """
    for peer in settings.pacs.peers:
        if peer.name == name:
            return peer
    match = _ADDRESS.fullmatch(name)
    if match is not None and 0 < int(match["port"]) <= 65535:
        return Peer(name=name, host=match["host"].strip("[]"), port=int(match["port"]), ae_title=match["ae"])
    known = ", ".join(peer.name for peer in settings.pacs.peers) or "none"
    remedy = f"Known: {known}. Add [[pacs.peers]] to clinic.toml, or give AE_TITLE@host:port."
    raise NotFoundError(f"no PACS is called {name!r}", remedy=remedy)


def check_rules(settings: ClinicSettings) -> None:
    """See that every rule can be carried out, before anything is received.

    Raises
    ------
    NotFoundError
        If a rule sends to a peer that is not in the settings, or by DICOMweb to one that has none.
    """
    for rule in settings.pacs.rules:
        peer = find_peer(settings, rule.to)
        if rule.via == "dicomweb" and peer.dicomweb is None:
            raise NotFoundError(f"the peer {peer.name!r} has no DICOMweb address", remedy="Set its dicomweb = URL.")
