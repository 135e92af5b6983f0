"""A peer inside the test that answers as it is told, and a look at what waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem, utc_now
from myosono.clinic.network import outbox
from myosono.clinic.settings import ClinicSettings, Peer


class Archive:
    """A peer that keeps what it gets, or answers as it is told."""

    def __init__(
        self, *, answer: Callable[[evt.Event], int] | None = None, contexts: Any = None, port: int = 0
    ) -> None:
        self.kept: list[str] = []
        self.ends: list[str] = []
        self._answer = answer or (lambda _: 0)
        ae = AE("ARCHIVE")
        ae.supported_contexts = contexts or AllStoragePresentationContexts
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_RELEASED, lambda _: self.ends.append("released")),
            (evt.EVT_ABORTED, lambda _: self.ends.append("aborted")),
        ]
        self.server: Any = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def _store(self, event: evt.Event) -> int:
        status = self._answer(event)
        if status == 0:
            self.kept.append(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        return status


def with_peer(settings: ClinicSettings, port: int, **peer: Any) -> ClinicSettings:
    found = Peer(name="archive", port=port, ae_title="ARCHIVE", **peer)
    return settings.model_copy(update={"pacs": settings.pacs.model_copy(update={"peers": (found,)})})


def enqueue(database: Database, study_id: int, kind: str = "images", via: str = "dimse", peer: str = "archive") -> int:
    with database.session() as session:
        return outbox.enqueue(session, study_id, kind, peer, via, "test").id


def item(database: Database, item_id: int) -> OutboxItem:
    with database.session(writes=False) as session:
        return session.get_one(OutboxItem, item_id)


def make_due(database: Database, item_id: int) -> None:
    with database.session() as session:
        session.get_one(OutboxItem, item_id).next_try = utc_now()
