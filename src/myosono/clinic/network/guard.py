"""What a connection may cost: bounded PDUs, bounded messages, a deadline for each PDU, a bounded number of connections.

pynetdicom reads as many bytes as a PDU's header announces and waits for them for ever; the header is the peer's word.
Here the socket itself keeps count, so that a peer that hangs, drips or announces 4 GB loses its connection and nothing
else.
"""

from __future__ import annotations

import logging
import shutil
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

log = logging.getLogger(__name__)

_HEADER = struct.Struct(">BBL")
_P_DATA = 4
_CONTROL_PDU_BYTES = 1024 * 1024  # A-ASSOCIATE with 128 presentation contexts stays far below
_DISK_CHECK_BYTES = 16 * 1024**2
MAX_CONNECTIONS = 256
"""Connections beyond are closed unheard; up to it, too many associations are rejected politely (PS3.8 9.3.4)."""


@dataclass(frozen=True)
class Bounds:
    """What one connection may cost.

    Attributes
    ----------
    pdu_bytes
        The longest P-DATA PDU, our own maximum as negotiated.
    message_bytes
        P-DATA of one DIMSE message.
    timeout_seconds
        For a whole PDU, from its first byte, and for each write.
    folder, free_bytes
        Where datasets are written while they arrive, and how much room its disk must keep.
    """

    pdu_bytes: int
    message_bytes: int
    timeout_seconds: float
    folder: Path
    free_bytes: int


class GuardedConnection(socket.socket):
    """A peer's connection that raises `ConnectionError` or `TimeoutError` where a bound is passed."""

    def __init__(self, accepted: socket.socket, bounds: Bounds) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self.settimeout(bounds.timeout_seconds)
        self._bounds = bounds
        self._header = bytearray()
        self._left = 0
        self._deadline = 0.0
        self._message = 0
        self._unchecked = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As `socket.socket.recv`, following the PDUs that pass."""
        if self._header:
            self._wait_until(self._deadline)
        received = super().recv(size, flags)
        if not self._header and received:
            self._deadline = time.monotonic() + self._bounds.timeout_seconds
        if self._left:
            self._left -= len(received)
            if not self._left:
                self._next_pdu()
        else:
            self._header += received
            if len(self._header) >= _HEADER.size:
                self._open_pdu()
        return received

    def message_done(self) -> None:
        """A DIMSE message was dealt with: the next one counts from nothing."""
        self._message = 0

    def _wait_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("a PDU did not arrive in time")
        self.settimeout(left)

    def _open_pdu(self) -> None:
        kind, _, self._left = _HEADER.unpack(self._header)
        limit = self._bounds.pdu_bytes if kind == _P_DATA else _CONTROL_PDU_BYTES
        if self._left > limit:
            raise ConnectionError(f"a PDU of {self._left} bytes was announced, more than {limit}")
        if kind == _P_DATA:
            self._message += self._left
            if self._message > self._bounds.message_bytes:
                raise ConnectionError(f"a message of more than {self._bounds.message_bytes} bytes")
            self._check_disk(self._left)
        if not self._left:
            self._next_pdu()

    def _next_pdu(self) -> None:
        self._header.clear()
        self.settimeout(self._bounds.timeout_seconds)

    def _check_disk(self, coming: int) -> None:
        self._unchecked += coming
        if self._unchecked >= _DISK_CHECK_BYTES:
            self._unchecked = 0
            if shutil.disk_usage(self._bounds.folder).free < self._bounds.free_bytes:
                raise ConnectionError("the disk is full")


class GuardedServer(ThreadedAssociationServer):
    """pynetdicom's server with guarded connections; pass ``bounds`` to `pynetdicom.AE.make_server`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        self._bounds = bounds
        super().__init__(*args, **kwargs)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept, and put the guard around the connection."""
        accepted, address = super().get_request()
        return GuardedConnection(accepted, self._bounds), address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection."""
        if len(self.active_associations) < MAX_CONNECTIONS:
            return True
        log.warning("connection from %s closed: %d are open", client_address, MAX_CONNECTIONS)
        return False


def message_done(association: Any) -> None:
    """Tell an association's connection that its message was dealt with."""
    wrapper = association.dul.socket
    connection = None if wrapper is None else wrapper.socket
    if isinstance(connection, GuardedConnection):
        connection.message_done()
