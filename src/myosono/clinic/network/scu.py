"""We call a peer: C-ECHO, C-FIND, C-MOVE and C-GET."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from pynetdicom.status import code_to_category

from myosono.clinic.network.classes import IMAGE_CLASSES, TRANSFER_SYNTAXES
from myosono.clinic.network.dimse import associate, check_status, describe
from myosono.clinic.network.query import FoundStudy, Instance, StudyQuery, level
from myosono.clinic.network.receive import Answer, Receiver, receive_event
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

_DESTINATION_UNKNOWN = 0xA801
_Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Retrieved:
    """How a C-MOVE or C-GET ended.

    Attributes
    ----------
    completed, failed, warned
        Sub-operations as the peer counts them.
    images
        Rows of the images that C-GET brought; empty after C-MOVE, where they arrive at the Storage SCP.
    new
        How many of these were not here before.
    own
        Results of ours among what came; they are not taken as images.
    problems
        What was said of those that failed.
    """

    completed: int
    failed: int
    warned: int
    images: tuple[int, ...] = ()
    new: int = 0
    own: int = 0
    problems: tuple[str, ...] = ()


def echo(settings: ClinicSettings, peer: Peer) -> float:
    """C-ECHO: seconds until the peer answered, its association included.

    Raises
    ------
    PeerError
        If it does not answer, or refuses.
    """
    begun = time.monotonic()
    with associate(settings, peer, [build_context(Verification)]) as association:
        _check_context(association, peer, "C-ECHO", Verification)
        response = association.send_c_echo()
        status = check_status(response, peer, "C-ECHO")
        if status != 0:
            raise PeerError(f"{peer.name} answered C-ECHO with {describe(response)}")
    return time.monotonic() - begun


def find(settings: ClinicSettings, peer: Peer, query: StudyQuery) -> list[FoundStudy]:
    """C-FIND at study level.

    Raises
    ------
    PeerError
        If the peer cannot be asked, or answers with an error.
    """
    with _finding(settings, peer) as association:
        found = _matches(association, peer, query.identifier(), query.limit)
    return [FoundStudy.from_dataset(one) for one in found]


def instances(settings: ClinicSettings, peer: Peer, study_uid: str) -> list[Instance]:
    """C-FIND down to image level: all objects of a study.

    Raises
    ------
    PeerError
        As `find`.
    """
    found = []
    with _finding(settings, peer) as association:
        for series in _matches(association, peer, level("SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="")):
            uid = str(series.SeriesInstanceUID)
            wanted = level(
                "IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=uid, SOPInstanceUID="", SOPClassUID=""
            )
            for one in _matches(association, peer, wanted):
                found.append(Instance(uid, str(one.SOPInstanceUID), str(one.get("SOPClassUID", ""))))
    return found


def move(settings: ClinicSettings, peer: Peer, identifiers: Sequence[Dataset], destination: str) -> Retrieved:
    """C-MOVE from a peer to an AE title that the peer knows, such as our own Storage SCP.

    Parameters
    ----------
    identifiers
        What to retrieve, from `myosono.clinic.network.query.retrieval`.

    Raises
    ------
    PeerError
        If the peer refuses, or does not know the destination.
    """
    model = StudyRootQueryRetrieveInformationModelMove
    counted = (0, 0, 0)
    with associate(settings, peer, [build_context(model)]) as association:
        _check_context(association, peer, "C-MOVE", model)
        for identifier in identifiers:
            responses = association.send_c_move(identifier, destination, model)
            counted = _add(counted, _last(responses, settings, peer, "C-MOVE"))
    return Retrieved(*counted)


def get(settings: ClinicSettings, peer: Peer, identifiers: Sequence[Dataset], receiver: Receiver) -> Retrieved:
    """C-GET: images come over the association that asks for them.

    Parameters
    ----------
    identifiers
        What to retrieve, from `myosono.clinic.network.query.retrieval`.
    receiver
        Takes each image as the Storage SCP does.

    Raises
    ------
    PeerError
        If the peer refuses.
    """
    model = StudyRootQueryRetrieveInformationModelGet
    contexts = [build_context(model), *(build_context(one, list(TRANSFER_SYNTAXES)) for one in IMAGE_CLASSES)]
    roles = [build_role(one, scp_role=True) for one in IMAGE_CLASSES]
    answers: list[Answer] = []

    def on_store(event: evt.Event) -> Dataset:
        answer = receive_event(receiver, event, peer.ae_title)
        answers.append(answer)
        return answer.dataset()

    counted = (0, 0, 0)
    handlers = [(evt.EVT_C_STORE, on_store)]
    with associate(settings, peer, contexts, roles=roles, handlers=handlers) as association:
        _check_context(association, peer, "C-GET", model)
        for identifier in identifiers:
            responses = association.send_c_get(identifier, model)
            counted = _add(counted, _last(responses, settings, peer, "C-GET"))
    return Retrieved(
        *counted,
        images=tuple(one.image_id for one in answers if one.image_id is not None),
        new=sum(one.new for one in answers),
        own=sum(one.own for one in answers),
        problems=tuple(f"0x{one.status:04X}: {one.comment}" for one in answers if one.image_id is None and not one.own),
    )


@contextmanager
def _finding(settings: ClinicSettings, peer: Peer) -> Iterator[Association]:
    model = StudyRootQueryRetrieveInformationModelFind
    with associate(settings, peer, [build_context(model)]) as association:
        _check_context(association, peer, "C-FIND", model)
        yield association


def _matches(association: Association, peer: Peer, identifier: Dataset, limit: int | None = None) -> list[Dataset]:
    model = StudyRootQueryRetrieveInformationModelFind
    found: list[Dataset] = []
    for response, match in association.send_c_find(identifier, model):
        status = check_status(response, peer, "C-FIND")
        if code_to_category(status) == "Pending" and match is not None:
            found.append(match)
            if len(found) == limit:
                association.send_c_cancel(1, query_model=model)
        elif code_to_category(status) == "Failure":
            raise PeerError(f"{peer.name} answered C-FIND with {describe(response)}")
    return found[:limit]


def _last(
    responses: Iterator[tuple[Dataset, Dataset | None]], settings: ClinicSettings, peer: Peer, verb: str
) -> _Counts:
    """Follow the responses to the final one, and count what it counts.

    Some archives call the whole a failure when one sub-operation failed; what the counts say is believed.
    """
    counted = (0, 0, 0)
    for response, _ in responses:
        status = check_status(response, peer, verb)
        counted = _counts(response, counted)
        if code_to_category(status) == "Failure" and not any(counted):
            remedy = "See the peer's own log."
            if status == _DESTINATION_UNKNOWN:
                remedy = f"Register {settings.pacs.ae_title} there."
            raise PeerError(f"{peer.name} answered {verb} with {describe(response)}", remedy=remedy)
    return counted


def _add(one: _Counts, other: _Counts) -> _Counts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _counts(response: Dataset, before: _Counts) -> _Counts:
    """Completed, failed and warned sub-operations; a response without them leaves what was known."""
    names = ("NumberOfCompletedSuboperations", "NumberOfFailedSuboperations", "NumberOfWarningSuboperations")
    completed, failed, warned = (int(response.get(name, known) or 0) for name, known in zip(names, before, strict=True))
    return completed, failed, warned


def _check_context(association: Association, peer: Peer, verb: str, model: str) -> None:
    if not any(one.abstract_syntax == model for one in association.accepted_contexts):
        raise PeerError(f"{peer.name} does not offer {verb}", remedy="Try another --via.")
