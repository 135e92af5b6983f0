"""`ClinicServer`: the web server, the reading process and what sends to peers, started and stopped as one."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Protocol, cast

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from myosono.clinic.accounts.users import has_users
from myosono.clinic.database.engine import Database
from myosono.clinic.network.node import Node
from myosono.clinic.network.sender import Sender
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web.app import create_app
from myosono.clinic.work.process import WorkerProcess
from myosono.errors import ClinicError, MyosonoError

_log = logging.getLogger(__name__)

GRACE_SECONDS = 10
"""How long an answer that is under way may take after the server was told to stop."""


Fill = Callable[[ClinicSettings, Database], None]


class ClinicServer:
    """The reading room of a data folder.

    Parameters
    ----------
    settings
        Address, certificate, database and the rest.
    pacs
        Start the DICOM node too, in this process.
    fill
        Called with settings and database once requests are answered, before images are read: the demonstration.

    Raises
    ------
    MyosonoError
        See `create_app`.
    """

    def __init__(self, settings: ClinicSettings, *, pacs: bool = False, fill: Fill | None = None) -> None:
        self.settings, self.pacs, self.fill = settings, pacs, fill
        self.database = Database(settings)
        self.app: FastAPI = create_app(settings, self.database)
        self.port = settings.port
        self.dicom_port: int | None = None

    @property
    def url(self) -> str:
        """Where a browser on this computer finds it."""
        host = self.settings.host
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"
        scheme = "https" if self.settings.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def needs_setup(self) -> bool:
        """Whether the first user has still to be made."""
        if not self.settings.accounts:
            return False
        with self.database.session(writes=False) as session:
            return not has_users(session)

    @property
    def setup_token(self) -> str | None:
        """What the set-up page asks for, if it asks."""
        return cast("str | None", self.app.state.setup_token)

    def run(self, on_ready: Callable[[ClinicServer], None] = lambda server: None) -> None:
        """Serve until SIGINT or SIGTERM, then finish what is under way and stop all parts.

        Parameters
        ----------
        on_ready
            Called once requests are answered.

        Raises
        ------
        ClinicError
            If the port is taken.
        """
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            with ExitStack() as parts:
                parts.callback(self.database.close)
                listening = self._listen()
                parts.callback(listening.close)
                self._start_parts(parts)
                _Server(self._config(), self.app, lambda: on_ready(self)).run(sockets=[listening])
        except KeyboardInterrupt:
            _log.info("stopped")
        finally:
            signal.signal(signal.SIGTERM, before)

    def _listen(self) -> socket.socket:
        address = (self.settings.host, self.settings.port)
        family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
        try:
            listening = socket.create_server(address, family=family, backlog=512)
        except (OSError, OverflowError) as error:
            remedy = "Stop what uses it, or give another with --port or --host."
            raise ClinicError(f"cannot listen on {address[0]}:{address[1]}: {error}", remedy=remedy) from error
        self.port = listening.getsockname()[1]
        return listening

    def _start_parts(self, parts: ExitStack) -> None:
        fill = self.fill
        reading = _Reading(self.settings, None if fill is None else lambda: fill(self.settings, self.database))
        reading.start()
        parts.callback(reading.stop)
        self.app.state.reading_missing = reading.missing
        if self.pacs:
            node = Node(self.settings, self.database, worker=False)
            node.start()
            parts.callback(node.stop)
            self.dicom_port = node.port
        elif self.settings.pacs.peers:
            stop = threading.Event()
            sending = Sender(self.settings, self.database)
            thread = threading.Thread(target=sending.run_forever, args=(stop,), name="sender")
            thread.start()
            parts.callback(thread.join)
            parts.callback(stop.set)

    def _config(self) -> uvicorn.Config:
        settings = self.settings
        return uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )


class _Reading:
    """The reading process, started once the clinic is filled, which takes longer than a person waits for a page."""

    def __init__(self, settings: ClinicSettings, fill: Callable[[], None] | None) -> None:
        self._worker, self._fill = WorkerProcess(settings), fill
        self._stopped, self._turn = False, threading.Lock()

    def start(self) -> None:
        if self._fill is None:
            self._worker.start()
        else:
            # Not waited for at the end: it goes on where it was when the demonstration is started again.
            threading.Thread(target=self._fill_first, args=(self._fill,), name="filling", daemon=True).start()

    def stop(self) -> None:
        with self._turn:
            self._stopped = True
        self._worker.stop()

    def missing(self) -> bool:
        """Whether it should read and does not; while the clinic is being filled it should not yet."""
        return self._worker.missing

    def _fill_first(self, fill: Callable[[], None]) -> None:
        try:
            fill()
        except (MyosonoError, SQLAlchemyError, OSError) as error:
            if not self._stopped:
                _log.error("the demonstration is not complete: %s", error)
        with self._turn:
            if not self._stopped:
                self._worker.start()


class _Closing(Protocol):
    def close(self) -> None: ...


class _Server(uvicorn.Server):
    """Says when it is ready, and ends the streams of live pages before waiting for open answers."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._on_ready = app, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        events = cast("_Closing | None", getattr(self._app.state, "events", None))
        if events is not None:
            events.close()
        await super().shutdown(sockets)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
