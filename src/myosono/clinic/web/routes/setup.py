"""The first run: whoever has started the clinic makes its first administrator."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from myosono.clinic import audit
from myosono.clinic.accounts.passwords import SHORTEST
from myosono.clinic.accounts.sessions import open_session
from myosono.clinic.accounts.users import create_first_admin, has_users
from myosono.clinic.web.errors import status_of
from myosono.clinic.web.pages import render
from myosono.clinic.web.routes.session import with_session
from myosono.clinic.web.security import client_address
from myosono.errors import ClinicError, ForbiddenError, NotFoundError

router = APIRouter(include_in_schema=False)


@router.get("/setup")
def setup_page(request: Request) -> Response:
    """The form, as long as there is no user."""
    if _is_set_up(request):
        return RedirectResponse("/login", 303)
    return _form(request)


@router.post("/setup")
def setup(
    request: Request,
    name: Annotated[str, Form()],
    password: Annotated[str, Form()],
    again: Annotated[str, Form()],
    full_name: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
) -> Response:
    """Make the first administrator and sign in."""
    state = request.app.state
    if _is_set_up(request):
        raise NotFoundError("the clinic has been set up already")
    try:
        if state.setup_token is not None and not secrets.compare_digest(
            token.strip().encode(), state.setup_token.encode()
        ):
            raise ForbiddenError("the set-up code is wrong", remedy="It was printed where the clinic was started.")
        if password != again:
            raise ClinicError("the two passwords differ")
        with state.database.session() as session:
            user = create_first_admin(session, name, password, full_name=full_name)
            opened = open_session(session, user, hours=state.settings.session_hours)
            audit.record(session, user.name, "login", address=client_address(request))
    except ClinicError as error:
        return _form(request, error=error, name=name, full_name=full_name)
    return with_session(request, opened.token, "/")


def _is_set_up(request: Request) -> bool:
    state = request.app.state
    if not state.settings.accounts:
        return True
    with state.database.session(writes=False) as session:
        return has_users(session)


def _form(request: Request, *, error: ClinicError | None = None, name: str = "", full_name: str = "") -> Response:
    return render(
        request,
        "setup.html",
        status_code=status_of(error) if error else 200,
        needs_token=request.app.state.setup_token is not None,
        shortest=SHORTEST,
        error=error,
        name=name,
        full_name=full_name,
    )
