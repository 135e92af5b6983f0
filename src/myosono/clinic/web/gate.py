"""The gate in front of every page: who is it, and did the request come from our own page?

It stands before routing and before a body is read, so that a page added later is closed unless it is listed in
`PUBLIC`, and nobody can make the clinic unpack an upload without being let in first.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myosono.clinic.accounts.sessions import find_session, new_token
from myosono.clinic.accounts.tokens import find_token, is_use_due, note_use
from myosono.clinic.accounts.users import CurrentUser, as_current, local_user
from myosono.clinic.database.engine import Database
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web.errors import error_response
from myosono.clinic.web.security import LoginRequiredError
from myosono.errors import ForbiddenError, MyosonoError

SESSION_COOKIE, CSRF_COOKIE = "myosono_session", "myosono_csrf"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf_token"
PUBLIC = ("/login", "/setup", "/healthz", "/preferences")
PUBLIC_FOLDERS = ("/static/", "/locale/")

_SAFE = ("GET", "HEAD", "OPTIONS")
_LARGEST_FORM = 64 * 1024


@dataclass(frozen=True)
class _Visitor:
    user: CurrentUser | None = None
    csrf: str | None = None
    by_token: bool = False


class Gate:
    """ASGI middleware: sets ``request.state.user`` and ``request.state.csrf``, or answers 401 or 403 itself.

    ``request.state.still_in()`` asks again later, for what stays open for hours.

    Cross-site request forgery: a browser must send back a token that only our pages know, beside cookies that are
    ``SameSite=Strict``. It belongs to the login session; before the login, and without accounts, to a cookie of its
    own. Programs with an API token send no cookie and need none.
    """

    def __init__(self, app: ASGIApp, settings: ClinicSettings, database: Database) -> None:
        self.app, self.settings, self.database = app, settings, database
        self._local: CurrentUser | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.user, request.state.csrf = None, ""
        # The path that routing goes by. `request.url` is put together with the Host header, which anyone may write.
        path = scope["path"]
        if path.startswith(PUBLIC_FOLDERS) or path == "/healthz":
            await self.app(scope, receive, send)
            return
        try:
            visitor = await run_in_threadpool(self._identify, request)
            request.state.still_in = lambda: self._still_in(request)
            new_cookie = visitor.csrf is None
            request.state.user = visitor.user
            request.state.csrf = visitor.csrf or new_token()
            if visitor.user is None and path not in PUBLIC:
                raise LoginRequiredError("log in first")
            if request.method not in _SAFE and not visitor.by_token:
                receive = await _check_origin(request, receive, visitor.csrf)
        except MyosonoError as error:
            await error_response(request, error)(scope, receive, send)
            return
        if new_cookie:
            send = _with_cookie(send, request)
        await self.app(scope, receive, send)

    def _identify(self, request: Request) -> _Visitor:
        before_login = request.cookies.get(CSRF_COOKIE)
        if not self.settings.accounts:
            return _Visitor(self._local_user(), before_login)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._by_token(token.strip())
        cookie = request.cookies.get(SESSION_COOKIE)
        if not cookie:
            return _Visitor(csrf=before_login)
        with self.database.session(writes=False) as session:
            held = find_session(session, cookie)
            return _Visitor(csrf=before_login) if held is None else _Visitor(as_current(held.user), held.csrf)

    def _still_in(self, request: Request) -> bool:
        """Whether the visitor of a request that is answered for hours would still be let in."""
        try:
            return self._identify(request).user is not None
        except LoginRequiredError:
            return False

    def _by_token(self, token: str) -> _Visitor:
        with self.database.session(writes=False) as session:
            found = find_token(session, token)
            if found is None:
                raise LoginRequiredError("the API token is not valid", remedy="Make one on your account's page.")
            visitor, due = _Visitor(as_current(found.user, by_token=True), "", by_token=True), is_use_due(found)
        if due:
            with self.database.session() as session:
                note_use(session, found.id)
        return visitor

    def _local_user(self) -> CurrentUser:
        if self._local is None:
            with self.database.session() as session:
                self._local = as_current(local_user(session))
        return self._local


async def _check_origin(request: Request, receive: Receive, expected: str | None) -> Receive:
    """Refuse what another site made the browser send; return the body to be read again."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("the request came from another site")
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = await _small_body(request)
        given = parse_qs(body.decode("utf-8", "replace")).get(CSRF_FIELD, [""])[0]
        receive = _replay(body, receive)
    if not expected or not secrets.compare_digest(given.encode(), expected.encode()):
        raise ForbiddenError("the page was too old, or the request did not come from it", remedy="Load the page again.")
    return receive


async def _small_body(request: Request) -> bytes:
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LARGEST_FORM:
            raise ForbiddenError("the form is too large", remedy="Send files with the header X-CSRF-Token.")
        parts.append(chunk)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


def _with_cookie(send: Send, request: Request) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = cookie_header(CSRF_COOKIE, request.state.csrf, request)
            MutableHeaders(scope=message).append("set-cookie", cookie)
        await send(message)

    return sending


def cookie_header(name: str, value: str, request: Request, *, max_age: int | None = None) -> str:
    """A cookie that scripts cannot read and other sites cannot cause to be sent; ``Secure`` under HTTPS."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Strict"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if request.url.scheme == "https":
        parts.append("Secure")
    return "; ".join(parts)
