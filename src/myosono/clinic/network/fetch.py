"""A study from a PACS into the clinic, by C-GET, C-MOVE or DICOMweb, whichever the peer offers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from myosono.clinic import audit
from myosono.clinic.database.engine import Database
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.dicomweb import DicomWeb
from myosono.clinic.network.incoming import incoming_folder
from myosono.clinic.network.query import Instance, retrieval
from myosono.clinic.network.receive import Receiver
from myosono.clinic.network.scu import get, instances, move
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import PeerError

Way = Literal["get", "move", "dicomweb"]


@dataclass(frozen=True)
class Fetched:
    """What a fetch brought.

    Attributes
    ----------
    images
        Images that are here now. After C-MOVE: as the peer counts them, since they arrive at the Storage SCP.
    new
        How many of these were not here before; None after C-MOVE.
    left
        Objects of the study that hold no image of ours, such as reports.
    problems
        What went wrong, one line an object.
    """

    study_uid: str
    images: int
    new: int | None
    left: int
    problems: tuple[str, ...]


def fetch_study(
    settings: ClinicSettings, database: Database, peer: Peer, study_uid: str, *, via: Way = "get", user: str = "system"
) -> Fetched:
    """Fetch all ultrasound images of a study; they then wait to be read like any other.

    Parameters
    ----------
    via
        ``get``: over the association that asks. ``move``: the peer calls our Storage SCP, which must run and be
        known there by its AE title. ``dicomweb``: QIDO-RS and WADO-RS.
    user
        Who asked, for the audit log.

    Raises
    ------
    PeerError
        If the peer does not answer, refuses, or has no image of this study.
    """
    with database.session() as session:
        audit.record(session, user, "fetch", study_uid=study_uid[:64], peer=peer.name, via=via)
    receiver = Receiver(database, FileStore(settings))
    service = DicomWeb(settings, peer) if via == "dicomweb" else None
    found = instances(settings, peer, study_uid) if service is None else service.instances(study_uid)
    wanted = [one for one in found if one.is_image]
    left = len(found) - len(wanted)
    if not wanted:
        remedy = "Look for it with `myosono pacs find`."
        raise PeerError(f"{peer.name} has no ultrasound image of study {study_uid}", remedy=remedy)
    if service is not None:
        return _by_dicomweb(settings, service, study_uid, wanted, left, receiver)
    if via == "move":
        moved = move(settings, peer, retrieval(study_uid, found), settings.pacs.ae_title)
        # A heat map of ours among them is refused by our own SCP, and only the audit log can tell it from a failure.
        failed = [f"{moved.failed} objects failed or were refused; see `refuse` in the audit log"] * bool(moved.failed)
        return Fetched(study_uid, moved.completed + moved.warned, None, left, tuple(failed))
    with incoming_folder(settings):
        got = get(settings, peer, retrieval(study_uid, found), receiver)
    missing = len(wanted) - len(got.images) - len(got.problems) - got.own
    problems = (*got.problems, *([f"{missing} images did not come"] if missing > 0 else []))
    return Fetched(study_uid, len(got.images), got.new, left + got.own, problems)


def _by_dicomweb(
    settings: ClinicSettings,
    service: DicomWeb,
    study_uid: str,
    wanted: Sequence[Instance],
    left: int,
    receiver: Receiver,
) -> Fetched:
    images, new, problems = 0, 0, []
    with incoming_folder(settings) as folder, tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "instance.dcm"
        for instance in wanted:
            path.write_bytes(service.retrieve(study_uid, instance))
            answer = receiver.receive(path, service.peer.ae_title, sop_instance=instance.sop_instance_uid)
            if answer.own:
                left += 1
            elif answer.image_id is None:
                problems.append(f"{instance.sop_instance_uid}: 0x{answer.status:04X} {answer.comment}")
            else:
                images, new = images + 1, new + answer.new
    return Fetched(study_uid, images, new, left, tuple(problems))
