"""Opening associations: one place that knows the time limits and what a refusal means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.status import code_to_category

from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

MAX_PDU = 256 * 1024
"""Bytes of the longest PDU that we take and offer."""
MAX_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2: odd numbers up to 255)."""


def make_ae(settings: ClinicSettings) -> AE:
    """Our application entity, with the time limits of the settings."""
    # Datasets go to and come from files in pieces: a cine loop of 500 MB is never held in memory.
    _config.STORE_RECV_CHUNKED_DATASET = True
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_HANDLER_LEVEL = "none"
    ae = AE(ae_title=settings.pacs.ae_title)
    ae.maximum_pdu_size = MAX_PDU
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = settings.pacs.timeout_seconds
    ae.connection_timeout = min(settings.pacs.timeout_seconds, 10.0)
    return ae


@contextmanager
def associate(
    settings: ClinicSettings,
    peer: Peer,
    contexts: Iterable[PresentationContext],
    *,
    roles: Iterable[Any] = (),
    handlers: Iterable[Any] = (),
) -> Iterator[Association]:
    """An association with a peer; released at the end, aborted if something is raised.

    Raises
    ------
    PeerError
        If the peer cannot be reached, rejects us, or is not a DICOM node.
    """
    ae = make_ae(settings)
    # pynetdicom clears the socket's time limit once connected; a peer that stops in mid-PDU would hold us for ever.
    limited = [(evt.EVT_CONN_OPEN, _limit_waiting), *handlers]
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.ae_title,
        ext_neg=list(roles),
        evt_handlers=limited,
        max_pdu=MAX_PDU,
    )
    if not association.is_established:
        raise _not_established(association, settings, peer)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    if association.is_established:
        association.release()


def check_status(response: Dataset, peer: Peer, what: str) -> int:
    """Status code of a response.

    Raises
    ------
    PeerError
        If there was no response: the peer hung, aborted or went away.
    """
    if "Status" not in response:
        raise PeerError(f"{peer.name} did not answer {what}", remedy="It is tried again; see the peer's own log.")
    return int(response.Status)


def is_stored(status: int) -> bool:
    """Whether a C-STORE status says that the peer has the object (a warning says so too, PS3.4 B.2.3)."""
    return code_to_category(status) in ("Success", "Warning")


def describe(response: Dataset) -> str:
    """A response's status as people look it up, with the peer's own words if it gave any."""
    words = str(response.get("ErrorComment", "") or "").strip()
    return f"status 0x{int(response.Status):04X}" + (f" ({words})" if words else "")


def _limit_waiting(event: evt.Event) -> None:
    wrapper = event.assoc.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        wrapper.socket.settimeout(event.assoc.network_timeout)


def _not_established(association: Association, settings: ClinicSettings, peer: Peer) -> PeerError:
    where = f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port})"
    if association.is_rejected:
        primitive = association.acceptor.primitive
        reason = "" if primitive is None else f": {primitive.reason_str}"
        remedy = f"Register {settings.pacs.ae_title} there, and check its AE title here."
        return PeerError(f"{where} rejected the association{reason}", remedy=remedy)
    if association.acceptor.primitive is not None or association.rejected_contexts:
        return PeerError(f"{where} accepts none of what was proposed", remedy="See its conformance statement.")
    return PeerError(f"{where} cannot be reached", remedy="Check host, port and that it runs.")
