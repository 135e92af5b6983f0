"""The Storage SCP: answers C-STORE with success only when the file is on disk and its row is committed; C-ECHO."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from myosono.clinic.database.engine import Database
from myosono.clinic.files.store import FileStore
from myosono.clinic.network.classes import IMAGE_CLASSES, TRANSFER_SYNTAXES
from myosono.clinic.network.dimse import MAX_PDU, make_ae
from myosono.clinic.network.guard import Bounds, GuardedServer, message_done
from myosono.clinic.network.incoming import incoming_folder, sweep
from myosono.clinic.network.receive import Receiver, receive_event
from myosono.clinic.settings import ClinicSettings
from myosono.errors import ClinicError

log = logging.getLogger(__name__)

VERIFICATION = "1.2.840.10008.1.1"
_MESSAGE_OVERHEAD = 1024 * 1024
_SWEEP_SECONDS = 300.0


class StorageScp:
    """Listens for images. Reading them is the worker's business, in another process.

    Parameters
    ----------
    settings
        ``pacs`` names the AE title, the address, who may call and how many at once.
    database
        Where images are entered.
    """

    def __init__(self, settings: ClinicSettings, database: Database) -> None:
        self.settings = settings
        self._receiver = Receiver(database, FileStore(settings))
        self._stack = ExitStack()
        self._server: GuardedServer | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, also where the settings left the choice to the system (0)."""
        return self.settings.pacs.port if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, in threads of their own.

        Raises
        ------
        ClinicError
            If the port is taken, or may not be used.
        """
        pacs = self.settings.pacs
        with ExitStack() as stack:
            folder = stack.enter_context(incoming_folder(self.settings))
            sweep(folder)
            bounds = Bounds(
                pdu_bytes=MAX_PDU,
                message_bytes=self.settings.uploads.file_bytes + _MESSAGE_OVERHEAD,
                timeout_seconds=pacs.timeout_seconds,
                folder=folder,
                free_bytes=self.settings.uploads.free_bytes,
            )
            handlers: list[Any] = [(evt.EVT_C_STORE, self._on_store), (evt.EVT_C_ECHO, _on_echo)]
            try:
                server = self._entity().make_server(
                    (pacs.host, pacs.port), server_class=GuardedServer, evt_handlers=handlers, bounds=bounds
                )
            except (OSError, socket.gaierror) as error:
                remedy = "Set another pacs.port; ports below 1024 need rights."
                raise ClinicError(f"cannot listen on {pacs.host}:{pacs.port}: {error}", remedy=remedy) from error
            server.ae._servers.append(server)  # as AE.start_server does, which takes no server class
            self._server = cast(GuardedServer, server)
            stop = threading.Event()
            stack.callback(stop.set)
            threading.Thread(target=self._server.serve_forever, name="dicom-listen", daemon=True).start()
            threading.Thread(target=_sweep_often, args=(folder, stop), name="dicom-sweep", daemon=True).start()
            self._stack = stack.pop_all()

    def stop(self, *, grace_seconds: float = 5.0) -> None:
        """Take no more associations; let those that run end within the grace, then abort them."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        until = time.monotonic() + grace_seconds
        while server.active_associations and time.monotonic() < until:
            time.sleep(0.05)
        for association in server.active_associations:
            association.abort()
        self._stack.close()

    def _entity(self) -> AE:
        pacs = self.settings.pacs
        ae = make_ae(self.settings)
        ae.maximum_associations = pacs.max_associations
        ae.require_calling_aet = list(pacs.allowed_ae)
        ae.add_supported_context(VERIFICATION)
        for sop_class in IMAGE_CLASSES:
            ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        return ae

    def _on_store(self, event: evt.Event) -> Dataset:
        try:
            return receive_event(self._receiver, event, event.assoc.requestor.ae_title).dataset()
        finally:
            message_done(event.assoc)


def _on_echo(event: evt.Event) -> int:
    message_done(event.assoc)
    return 0x0000


def _sweep_often(folder: Path, stop: threading.Event) -> None:
    while not stop.wait(_SWEEP_SECONDS):
        sweep(folder)
