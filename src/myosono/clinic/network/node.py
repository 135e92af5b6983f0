"""`Node`: Storage SCP, sender and (unless another process has one) the reading process, as one thing to start."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.network.peers import check_rules
from myosono.clinic.network.scp import StorageScp
from myosono.clinic.network.sender import Sender
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work.process import WorkerProcess

log = logging.getLogger(__name__)


class Node:
    """The DICOM node of a data folder.

    Network, reading and sending share nothing but the database and the folder of files, so each may die and start
    again at any moment: what was acknowledged is on disk and in the queue, what was promised is in the outbox.

    Parameters
    ----------
    settings
        Address, AE titles, peers and rules are in ``pacs``.
    database
        An opened one; else it is opened from the settings, and closed by `stop`.
    worker
        False where another process reads (`myosono serve --pacs`).
    """

    def __init__(self, settings: ClinicSettings, database: Database | None = None, *, worker: bool = True) -> None:
        self.settings = settings
        self._given = database
        self._worker = worker
        self._stack = ExitStack()
        self._scp: StorageScp | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self.settings.pacs.port if self._scp is None else self._scp.port

    def start(self) -> None:
        """Start all parts; the last is the port, so that nothing is received that could not be worked on.

        Raises
        ------
        ClinicError
            If a rule names a peer that there is not, the database does not answer, or the port is taken.
        """
        check_rules(self.settings)
        with ExitStack() as stack:
            database = self._given or Database(self.settings)
            if self._given is None:
                stack.callback(database.close)
            upgrade(database)
            if self._worker:
                process = WorkerProcess(self.settings)
                process.start()
                stack.callback(process.stop)
            stop = threading.Event()
            sender = Sender(self.settings, database)
            thread = threading.Thread(target=sender.run_forever, args=(stop,), name="dicom-sender")
            thread.start()
            stack.callback(thread.join)
            stack.callback(stop.set)
            self._scp = StorageScp(self.settings, database)
            self._scp.start()
            stack.callback(self._scp.stop)
            self._stack = stack.pop_all()
        log.info("%s listens on %s:%d", self.settings.pacs.ae_title, self.settings.pacs.host, self.port)

    def stop(self) -> None:
        """Stop listening, let what is under way finish, then stop the rest."""
        self._stack.close()
        self._scp = None
