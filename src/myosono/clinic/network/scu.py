"""We call a peer: C-ECHO, C-FIND, C-MOVE and C-GET."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from pynetdicom.status import code_to_category

from myosono.clinic.network.classes import IMAGE_CLASSES, TRANSFER_SYNTAXES
from myosono.clinic.network.dimse import associate, check_status, describe
from myosono.clinic.network.query import FoundStudy, StudyQuery
from myosono.clinic.network.receive import CANNOT_UNDERSTAND, Answer, Receiver
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

_PENDING = ("Pending",)
_NO_SUCH_MODEL = "It does not offer this; try another --via."


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
    problems
        What was said of those that failed.
    """

    completed: int
    failed: int
    warned: int
    images: tuple[int, ...] = ()
    new: int = 0
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
        _check_context(association.accepted_contexts, peer, "C-ECHO")
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
    model = StudyRootQueryRetrieveInformationModelFind
    found: list[FoundStudy] = []
    with associate(settings, peer, [build_context(model)]) as association:
        _check_context(association.accepted_contexts, peer, "C-FIND")
        for response, identifier in association.send_c_find(query.identifier(), model):
            status = check_status(response, peer, "C-FIND")
            if code_to_category(status) in _PENDING and identifier is not None:
                found.append(FoundStudy.from_dataset(identifier))
                if len(found) == query.limit:
                    association.send_c_cancel(1, query_model=model)
            elif code_to_category(status) == "Failure":
                raise PeerError(f"{peer.name} answered C-FIND with {describe(response)}")
    return found[: query.limit]


def move(settings: ClinicSettings, peer: Peer, study_uid: str, destination: str) -> Retrieved:
    """C-MOVE a study from a peer to an AE title that the peer knows, such as our own Storage SCP.

    Raises
    ------
    PeerError
        If the peer refuses, or does not know the destination.
    """
    model = StudyRootQueryRetrieveInformationModelMove
    with associate(settings, peer, [build_context(model)]) as association:
        _check_context(association.accepted_contexts, peer, "C-MOVE")
        responses = association.send_c_move(_study(study_uid), destination, model)
        return _last(responses, settings, peer, "C-MOVE", [])


def get(settings: ClinicSettings, peer: Peer, study_uid: str, receiver: Receiver) -> Retrieved:
    """C-GET a study: its images come over the association that asks for them.

    Parameters
    ----------
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
        request = cast(C_STORE, event.request)
        if request._dataset_path is None:
            answer = Answer(CANNOT_UNDERSTAND, "no dataset")
        else:
            names = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
            answer = receiver.receive(event.dataset_path, peer.ae_title, sop_class=names[0], sop_instance=names[1])
        answers.append(answer)
        return answer.dataset()

    handlers = [(evt.EVT_C_STORE, on_store)]
    with associate(settings, peer, contexts, roles=roles, handlers=handlers) as association:
        _check_context(association.accepted_contexts, peer, "C-GET", model)
        responses = association.send_c_get(_study(study_uid), model)
        return _last(responses, settings, peer, "C-GET", answers)


def _study(study_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_uid
    return identifier


def _last(
    responses: Iterator[tuple[Dataset, Dataset | None]],
    settings: ClinicSettings,
    peer: Peer,
    verb: str,
    answers: list[Answer],
) -> Retrieved:
    """Follow the responses to the final one, and count what it counts."""
    counted = (0, 0, 0)
    for response, _ in responses:
        status = check_status(response, peer, verb)
        counted = _counts(response, counted)
        if code_to_category(status) == "Failure":
            known = "Register our AE title there. " if status == 0xA801 else ""
            remedy = f"{known}We are {settings.pacs.ae_title}."
            raise PeerError(f"{peer.name} answered {verb} with {describe(response)}", remedy=remedy)
    taken = [one for one in answers if one.image_id is not None]
    return Retrieved(
        *counted,
        images=tuple(one.image_id for one in taken if one.image_id is not None),
        new=sum(one.new for one in taken),
        problems=tuple(f"0x{one.status:04X}: {one.comment}" for one in answers if one.image_id is None),
    )


def _counts(response: Dataset, before: tuple[int, int, int]) -> tuple[int, int, int]:
    """Completed, failed and warned sub-operations; a response without them leaves what was known."""
    names = ("NumberOfCompletedSuboperations", "NumberOfFailedSuboperations", "NumberOfWarningSuboperations")
    completed, failed, warned = (int(response.get(name, known) or 0) for name, known in zip(names, before, strict=True))
    return completed, failed, warned


def _check_context(accepted: Sequence[object], peer: Peer, verb: str, model: str | None = None) -> None:
    if model is None and accepted:
        return
    if any(getattr(one, "abstract_syntax", None) == model for one in accepted):
        return
    raise PeerError(f"{peer.name} does not offer {verb}", remedy=_NO_SUCH_MODEL)
