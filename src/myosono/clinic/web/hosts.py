"""Which names a request may call the clinic by, so that no foreign name can be pointed at it (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
import socket

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from myosono.clinic.settings import ClinicSettings

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:\[\]]+)(:[0-9]{0,5})?")
"""A name and a port, nothing more (RFC 9110 7.2): what follows a slash would become part of the request's address."""


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this computer only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in _LOCAL_NAMES


def host_name(header: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if the header holds anything else."""
    found = _HOST.fullmatch(header)
    return "" if found is None else found["name"].strip("[]").rstrip(".").lower()


class KnownHosts:
    """ASGI middleware that answers 400 to a request in another name.

    Without accounts only loopback names are known, and ``trusted_hosts``. With accounts also every IP address, which no
    foreign name server can make a browser send, and the name of this computer.
    """

    def __init__(self, app: ASGIApp, settings: ClinicSettings) -> None:
        self.app, self.accounts = app, settings.accounts
        own = {socket.gethostname().lower(), socket.getfqdn().lower(), settings.host.lower()}
        self.names = {name.lower() for name in settings.trusted_hosts} | (own if settings.accounts else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self.knows(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
            return
        remedy = "Add it to trusted_hosts in clinic.toml if it is right."
        await PlainTextResponse(f"The clinic is not known by this name. {remedy}\n", 400)(scope, receive, send)

    def knows(self, header: str) -> bool:
        """Whether a Host header is one of ours."""
        name = host_name(header)
        if not name:
            return False
        if is_loopback(name) or name in self.names:
            return True
        return self.accounts and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
