"""`Sender`: applies the rules and works off the outbox, a peer at a time, on and on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem
from myosono.clinic.network import outbox
from myosono.clinic.network.dicomweb import DicomWeb
from myosono.clinic.network.parcels import Parcels
from myosono.clinic.network.peers import find_peer
from myosono.clinic.network.rules import Rules
from myosono.clinic.network.storing import Outcome, store
from myosono.clinic.settings import ClinicSettings, Peer
from myosono.errors import ClinicError, DiskFullError, MyosonoError, PeerError, UnavailableError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PEERS_AT_ONCE = 4
"""A peer that hangs holds up one thread, and not the others."""

_Served = tuple[str, str]


class Sender:
    """Sends what waits. Several may run on one database; each item is claimed by one.

    Parameters
    ----------
    settings
        Peers, rules, and the lease of a claim.
    database
        An opened one; else it is opened from the settings.
    """

    def __init__(self, settings: ClinicSettings, database: Database | None = None) -> None:
        self.settings = settings
        self._database = database or Database(settings)
        self._rules = Rules(settings)
        self._parcels = Parcels(settings, self._database)
        # A claim must outlive a peer that takes all its time for each of the objects.
        self._lease = max(settings.lease_seconds, 4 * settings.pacs.timeout_seconds)

    def run_once(self) -> int:
        """Apply the rules and try what is due, in this thread; how many items were tried.

        Raises
        ------
        ClinicError
            If the database does not answer. What was claimed is tried again when its lease ends.
        """
        self._apply_rules()
        tried, served = 0, set[_Served]()
        while items := self._claim(served):
            served.add(_route(items[0]))
            self._deliver(items)
            tried += len(items)
        return tried

    def run_forever(self, stop: threading.Event) -> None:
        """Send until told to stop; what is under way is finished first."""
        running: dict[_Served, Future[None]] = {}
        with ThreadPoolExecutor(PEERS_AT_ONCE, thread_name_prefix="dicom-send") as threads:
            while not stop.wait(POLL_SECONDS):
                for route in [route for route, future in running.items() if future.done()]:
                    _report(running.pop(route))
                try:
                    self._apply_rules()
                    while len(running) < PEERS_AT_ONCE and (items := self._claim(running.keys())):
                        running[_route(items[0])] = threads.submit(self._deliver, items)
                except (ClinicError, SQLAlchemyError) as error:
                    log.error("sending waits: %s", error)

    def _apply_rules(self) -> None:
        with self._database.session(writes=False) as session:
            due = self._rules.is_due(session)
        if due:
            with self._database.session() as session:
                self._rules.apply(session)

    def _claim(self, served: Collection[_Served]) -> list[OutboxItem]:
        with self._database.session(writes=False) as session:
            due = outbox.is_due(session)
        if not due:
            return []
        with self._database.session() as session:
            return outbox.claim(session, self._lease, without=served)

    def _deliver(self, items: Sequence[OutboxItem]) -> None:
        """Items of one peer and way. Each ends sent, postponed or failed, unless the database is gone.

        What is left without an end would be claimed again when its lease ends, and again, and nobody would be told.
        """
        try:
            peer = find_peer(self.settings, items[0].peer)
        except MyosonoError as error:
            for item in items:
                self._end(item, "fail", str(error))
            return
        packed = list(self._pack(items))
        left = [item for item, _ in packed]
        try:
            for item, problem, refused in self._send(peer, items[0].via, packed):
                left.remove(item)
                self._end(item, "refuse" if refused else "postpone", problem)
        except PeerError as error:
            for item in left:
                self._end(item, "postpone", str(error))
        except Exception as error:
            log.exception("sending to %s was interrupted", peer.name)
            for item in left:
                self._end(item, "postpone", f"sending was interrupted: {_named(error)}")

    def _pack(self, items: Sequence[OutboxItem]) -> Iterator[tuple[OutboxItem, list[Path]]]:
        """Items that can be made, with their files; one that cannot ends here, and holds up no other."""
        for item in items:
            try:
                files = self._parcels.files(item)
            except (UnavailableError, DiskFullError, SQLAlchemyError, OSError, MemoryError) as error:
                self._end(item, "postpone", f"cannot be made now: {error}")
            except MyosonoError as error:
                self._end(item, "fail", str(error))
            except Exception as error:
                # Some damage of a header that no check of ours knows: the traceback is what can be mended by.
                log.exception("%s of study %d cannot be made", item.kind, item.study_id)
                self._end(item, "fail", f"cannot be made: {_named(error)}")
            else:
                yield item, files

    def _send(
        self, peer: Peer, via: str, packed: Sequence[tuple[OutboxItem, list[Path]]]
    ) -> Iterator[tuple[OutboxItem, str | None, bool]]:
        """Over one association all files; each item's verdict as soon as its last file has one."""
        files = [file for _, paths in packed for file in paths]
        outcomes = self._outcomes(peer, via, files)
        for item, paths in packed:
            mine = [next(outcomes) for _ in paths]
            wrong = [one for one in mine if one.error is not None]
            problem = "; ".join(dict.fromkeys(one.error for one in wrong if one.error is not None)) or None
            yield item, problem, any(one.refused for one in wrong)
        for _ in outcomes:  # there are no more; only now is the association released, and not aborted
            raise AssertionError("more outcomes than files")

    def _outcomes(self, peer: Peer, via: str, files: Sequence[Path]) -> Iterator[Outcome]:
        if via == "dicomweb":
            return DicomWeb(self.settings, peer).store(files)
        return store(self.settings, peer, files)

    def _end(self, item: OutboxItem, verdict: str, problem: str | None) -> None:
        """Keep what became of an item; without a problem it has arrived, whatever the verdict would have been."""
        with self._database.session() as session:
            if problem is None:
                outbox.done(session, item.id)
                log.info("%s of study %d sent to %s", item.kind, item.study_id, item.peer)
                return
            log.warning("%s of study %d to %s: %s", item.kind, item.study_id, item.peer, problem)
            verdicts = {"fail": outbox.fail, "refuse": outbox.refuse, "postpone": outbox.postpone}
            verdicts[verdict](session, item.id, _printable(problem))


def _route(item: OutboxItem) -> _Served:
    return item.peer, item.via


def _named(error: Exception) -> str:
    """An error that was not expected: its text alone may be a bare value."""
    return f"{type(error).__name__}: {error}"


def _printable(text: str) -> str:
    """What any database can keep: a damaged header's text, quoted in an error, may hold NUL or half a character."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _report(future: Future[None]) -> None:
    """A thread that ended by an error: its items are tried again when their lease ends."""
    error = future.exception()
    if error is not None:
        log.error("sending was interrupted: %s", error, exc_info=error)
