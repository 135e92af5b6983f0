"""Errors to answers: a page for people, JSON for programs, the status by kind, never a stack trace."""

from __future__ import annotations

import errno
import http
import logging
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from myosono.clinic.accounts.login import TooManyAttemptsError, WrongPasswordError
from myosono.clinic.web.headers import security_headers
from myosono.clinic.web.i18n import N_, translate
from myosono.clinic.web.pages import language_of, render
from myosono.clinic.web.security import LoginRequiredError
from myosono.errors import (
    ClinicError,
    ConflictError,
    DiskFullError,
    ForbiddenError,
    ImageError,
    MissingExtraError,
    MyosonoError,
    NotFoundError,
    PeerError,
    UnavailableError,
    UploadError,
    UsageError,
)

_log = logging.getLogger(__name__)

STATUS: tuple[tuple[type[MyosonoError], int], ...] = (
    (LoginRequiredError, 401),
    (WrongPasswordError, 401),
    (TooManyAttemptsError, 429),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (DiskFullError, 507),
    (UploadError, 422),
    (UsageError, 422),
    (ImageError, 422),
    (UnavailableError, 503),
    (PeerError, 502),
    (MissingExtraError, 501),
    (ClinicError, 400),
)
"""HTTP status of each kind, the first that fits; 500 for the rest of the family."""

_TITLES = {
    400: N_("This cannot be done"),
    401: N_("Please sign in"),
    403: N_("This is not allowed"),
    404: N_("Nothing was found here"),
    405: N_("This cannot be done"),
    409: N_("This contradicts what is recorded"),
    413: N_("This is too large"),
    422: N_("This cannot be read"),
    429: N_("Please wait"),
    500: N_("Something went wrong"),
    501: N_("This is not installed"),
    502: N_("Another system does not answer"),
    503: N_("The clinic is not ready"),
    507: N_("The disk is full"),
}


def status_of(error: MyosonoError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks for a page, rather than a program or a script for data."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def error_response(request: Request, error: MyosonoError) -> Response:
    """The answer to an error of ours. Its message was written to be read; paths of this computer are left out."""
    status = status_of(error)
    if isinstance(error, LoginRequiredError) and wants_page(request) and request.method == "GET":
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/login" if target == "/" else f"/login?next={quote(target)}", 303)
    if status >= 500:
        _log.warning("%s %s: %s", request.method, request.url.path, error)
    answer = answer_with(request, status, error.reason, error.remedy)
    if isinstance(error, TooManyAttemptsError):
        answer.headers["retry-after"] = str(error.wait_seconds)
    if status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def answer_with(request: Request, status: int, reason: str, remedy: str | None = None) -> Response:
    """A page, or ``{"detail": ...}``, with a status; ``message`` too where the reader's language is not English."""
    if not wants_page(request):
        detail = f"{reason.rstrip('.')}. {remedy}" if remedy else reason
        message = _message(language_of(request), reason, remedy)
        return JSONResponse({"detail": detail} | ({"message": message} if message else {}), status)
    title = _TITLES.get(status) or http.HTTPStatus(status).phrase
    return render(request, "error.html", status_code=status, status=status, title=title, reason=reason, remedy=remedy)


def _message(language: str, reason: str, remedy: str | None) -> str | None:
    """What a script shows to people in place of ``detail``, which programs may know by its words."""
    if remedy:
        whole = f"{reason.rstrip('.')}. {remedy}"
        if (said := translate(language, whole)) != whole:
            return said
    parts = [translate(language, part) for part in (reason, remedy) if part]
    if parts == [part for part in (reason, remedy) if part]:
        return None
    return "".join(f"{part.rstrip('.。')}。" for part in parts)


def install(app: FastAPI) -> None:
    """Set the handlers of an application."""

    @app.exception_handler(MyosonoError)
    def ours(request: Request, error: MyosonoError) -> Response:
        return error_response(request, error)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        answer = answer_with(request, error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        if wants_page(request):
            first = error.errors()[0]
            where = str(first["loc"][-1]) if first["loc"] else ""
            return answer_with(request, 422, f"{where}: {first['msg']}")
        # Without the input and its context: they may hold what JSON cannot carry, or a password.
        kept = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()]
        return JSONResponse({"detail": kept}, 422)

    @app.exception_handler(DataError)
    @app.exception_handler(OverflowError)
    @app.exception_handler(UnicodeEncodeError)
    def unstorable(request: Request, error: Exception) -> Response:
        # What no database can hold: a number beyond its integers, a NUL or half a character in a text.
        return answer_with(request, 422, N_("a value is out of range, or no text"))

    @app.exception_handler(OSError)
    def system(request: Request, error: OSError) -> Response:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        _log.error("no space left: %s", error.filename)
        return error_response(request, DiskFullError("the disk is full", remedy="Nothing was lost; make room."))

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        # Starlette answers with this outside all middleware, then raises on for the log.
        remedy = N_("It was written to the log of the server. Nothing that was saved is lost.")
        answer = answer_with(request, 500, N_("an unexpected error"), remedy)
        answer.headers.update(security_headers())
        return answer
