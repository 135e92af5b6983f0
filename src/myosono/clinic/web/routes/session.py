"""Sign in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from myosono.clinic import audit
from myosono.clinic.accounts.login import TooManyAttemptsError, WrongPasswordError, log_in
from myosono.clinic.accounts.sessions import close_session
from myosono.clinic.accounts.users import has_users
from myosono.clinic.web.errors import status_of
from myosono.clinic.web.gate import SESSION_COOKIE, cookie_header
from myosono.clinic.web.pages import render
from myosono.clinic.web.security import client_address, safe_target, user_or_none

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request) -> Response:
    """The form; before the first user was made, the set-up instead."""
    state = request.app.state
    target = safe_target(request.query_params.get("next", "/"))
    if user_or_none(request) is not None:
        return RedirectResponse(target, 303)
    with state.database.session(writes=False) as session:
        if not has_users(session):
            return RedirectResponse("/setup", 303)
    return render(request, "login.html", target=target, name="", error=None)


@router.post("/login")
def login(
    request: Request,
    name: Annotated[str, Form()],
    password: Annotated[str, Form()],
    target: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check the password and set the cookie. The form again, with the reason, where that fails."""
    state = request.app.state
    hours = state.settings.session_hours
    try:
        entered = log_in(state.database, name, password, address=client_address(request), hours=hours)
    except (WrongPasswordError, TooManyAttemptsError) as error:
        answer: Response = render(
            request, "login.html", status_code=status_of(error), target=safe_target(target), name=name, error=error
        )
        if isinstance(error, TooManyAttemptsError):
            answer.headers["retry-after"] = str(error.wait_seconds)
        return answer
    return with_session(request, entered.session.token, safe_target(target))


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session here; others of the same user go on."""
    user, token = user_or_none(request), request.cookies.get(SESSION_COOKIE)
    if token is not None and user is not None:
        with request.app.state.database.session() as session:
            close_session(session, token)
            audit.record(session, user.name, "logout")
    answer = RedirectResponse("/login", 303)
    answer.headers.append("set-cookie", cookie_header(SESSION_COOKIE, "", request, max_age=0))
    return answer


def with_session(request: Request, token: str, target: str) -> Response:
    """Go to a page with the cookie of a new session."""
    age = int(request.app.state.settings.session_hours * 3600)
    answer = RedirectResponse(target, 303)
    answer.headers.append("set-cookie", cookie_header(SESSION_COOKIE, token, request, max_age=age))
    return answer
