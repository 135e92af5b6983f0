"""`create_app`: the application, its state, its middleware and its pages."""

from __future__ import annotations

import importlib
import pkgutil
import secrets
import ssl
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import Scope

import myosono
from myosono.clinic.accounts.users import local_user
from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web import errors, routes
from myosono.clinic.web.gate import Gate
from myosono.clinic.web.headers import SecurityHeaders
from myosono.clinic.web.hosts import KnownHosts, is_loopback
from myosono.clinic.web.pages import STATIC
from myosono.errors import ClinicError
from myosono.reading import load


def create_app(settings: ClinicSettings, database: Database | None = None) -> FastAPI:
    """The reading room.

    Its ``app.state`` has ``settings``, ``database`` (brought to the newest schema), ``files`` (`FileStore`), ``model``
    (`myosono.reading.ModelFacts`), ``setup_token`` (what the first-run page asks for, None where it asks for none) and
    ``reading_missing`` (whether the reading process is, for `/healthz`; who starts one puts its own in its place).
    A module in ``web/routes`` has a ``router``, and may have a ``prepare(app)`` that is called once.

    Raises
    ------
    ClinicError
        If the settings would let anyone on the network in, or certificate and key are not a pair.
    UnavailableError
        If the database does not answer.
    ArtefactError
        If the model file cannot be used.
    """
    check_exposure(settings)
    database = database or Database(settings)
    upgrade(database)
    if not settings.accounts:
        with database.session() as session:
            local_user(session)  # now, so that the first requests do not all try to make it
    app = FastAPI(
        title="myosono",
        version=myosono.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(KnownHosts, settings=settings),
            Middleware(Gate, settings=settings, database=database),
        ],
    )
    app.state.settings = settings
    app.state.database = database
    app.state.files = FileStore(settings)
    app.state.model = load(settings.model).model
    app.state.setup_token = secrets.token_urlsafe(12) if settings.accounts and is_exposed(settings) else None
    app.state.reading_missing = lambda: False
    errors.install(app)
    app.mount("/static", VersionedFiles(directory=STATIC), name="static")
    # Found, not listed: a page is one new file, and the gate has it closed already.
    for found in sorted(pkgutil.iter_modules(routes.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{routes.__name__}.{found.name}")
        app.include_router(module.router)
        if hasattr(module, "prepare"):
            module.prepare(app)
    return app


def check_exposure(settings: ClinicSettings) -> None:
    """Refuse settings that would open patients' data to the network.

    Raises
    ------
    ClinicError
        If there are no accounts and the address is not a loopback one, or certificate and key are not a pair.
    """
    if not settings.accounts and is_exposed(settings):
        remedy = "Use accounts, or --host 127.0.0.1."
        raise ClinicError(
            f"without accounts the clinic cannot be open to the network at {settings.host}", remedy=remedy
        )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ClinicError("HTTPS needs both a certificate and its key", remedy="Give --tls-certificate and --tls-key.")
    if settings.tls_certificate is not None and settings.tls_key is not None:
        _check_certificate(settings.tls_certificate, settings.tls_key)


def _check_certificate(certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        if not path.is_file():
            raise ClinicError("no such file", path=path, remedy="Give a PEM file.")
    try:
        # An empty passphrase, since otherwise a locked key would be asked for on a terminal that a service has not.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        remedy = "Both must be PEM files that belong together, the key without a passphrase."
        raise ClinicError(f"the certificate cannot be used: {error}", path=certificate, remedy=remedy) from error


def is_exposed(settings: ClinicSettings) -> bool:
    """Whether others than this computer can reach the clinic, directly or through a reverse proxy."""
    return not is_loopback(settings.host) or bool(settings.trusted_proxies)


class VersionedFiles(StaticFiles):
    """Static files, kept by browsers for good where their address carries a hash (`pages.static`)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        answer = await super().get_response(path, scope)
        versioned = scope.get("query_string", b"").startswith(b"v=")
        answer.headers["cache-control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return answer
