"""One's own account: password, sessions, API tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from myosono.clinic import audit
from myosono.clinic.accounts.login import verify_user
from myosono.clinic.accounts.passwords import SHORTEST
from myosono.clinic.accounts.sessions import close_all_sessions, open_session
from myosono.clinic.accounts.tokens import create_token, list_tokens, revoke_token
from myosono.clinic.accounts.users import get_user, set_password
from myosono.clinic.web.errors import status_of
from myosono.clinic.web.gate import SESSION_COOKIE
from myosono.clinic.web.pages import render
from myosono.clinic.web.routes.session import with_session
from myosono.clinic.web.security import CurrentUser, client_address, person
from myosono.errors import ClinicError

router = APIRouter(include_in_schema=False)
Person = Annotated[CurrentUser, Depends(person)]


@router.get("/account")
def account(request: Request, user: Person, done: str = "") -> Response:
    """The page."""
    return _page(request, user, done=done)


@router.post("/account/password")
def change_password(
    request: Request,
    user: Person,
    old: Annotated[str, Form()],
    password: Annotated[str, Form()],
    again: Annotated[str, Form()],
) -> Response:
    """Set a new password. All sessions end, but this browser gets a new one."""
    state = request.app.state
    try:
        if password != again:
            raise ClinicError("the two passwords differ")
        verify_user(state.database, user.name, old, address=client_address(request))
        with state.database.session() as session:
            row = get_user(session, user.id)
            set_password(session, row, password, by=user.name)
            opened = open_session(session, row, hours=state.settings.session_hours)
    except ClinicError as error:
        return _page(request, user, error=error)
    return with_session(request, opened.token, "/account?done=password")


@router.post("/account/sessions/end")
def end_sessions(request: Request, user: Person) -> Response:
    """Sign out in all other browsers."""
    with request.app.state.database.session() as session:
        count = close_all_sessions(session, user.id, but=request.cookies.get(SESSION_COOKIE))
        audit.record(session, user.name, "sessions-ended", count=count)
    return RedirectResponse("/account?done=sessions", 303)


@router.post("/account/tokens")
def make_token(request: Request, user: Person, name: Annotated[str, Form()]) -> Response:
    """Make an API token and show it, this once."""
    try:
        with request.app.state.database.session() as session:
            token = create_token(session, get_user(session, user.id), name)
    except ClinicError as error:
        return _page(request, user, error=error)
    return _page(request, user, token=token)


@router.post("/account/tokens/{token_id}/revoke")
def end_token(request: Request, user: Person, token_id: int) -> Response:
    """Revoke an API token."""
    with request.app.state.database.session() as session:
        revoke_token(session, get_user(session, user.id), token_id)
    return RedirectResponse("/account?done=token", 303)


def _page(
    request: Request, user: CurrentUser, *, error: ClinicError | None = None, token: str | None = None, done: str = ""
) -> Response:
    with request.app.state.database.session(writes=False) as session:
        tokens = list_tokens(session, user.id)
    status = status_of(error) if error else 200
    return render(
        request,
        "account.html",
        status_code=status,
        tokens=tokens,
        error=error,
        token=token,
        done=done,
        shortest=SHORTEST,
    )
