"""Administration: users and how the clinic is set."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select

from myosono.clinic.accounts.passwords import SHORTEST
from myosono.clinic.accounts.users import ROLES, create_user, get_user, list_users, set_disabled, set_password, set_role
from myosono.clinic.database.models import OutboxItem, StoredImage, Study
from myosono.clinic.web.errors import status_of
from myosono.clinic.web.pages import render
from myosono.clinic.web.security import CurrentUser, admin_in_person, require_admin
from myosono.errors import ClinicError, ForbiddenError

router = APIRouter(include_in_schema=False, prefix="/admin")
Admin = Annotated[CurrentUser, Depends(require_admin)]
AdminInPerson = Annotated[CurrentUser, Depends(admin_in_person)]


@router.get("")
def overview(request: Request, user: Admin) -> Response:
    """What the clinic is made of and how much it holds."""
    state = request.app.state
    with state.database.session(writes=False) as session:
        images: dict[str, int] = dict(
            session.execute(select(StoredImage.status, func.count()).group_by(StoredImage.status)).tuples().all()
        )
        outbox: dict[str, int] = dict(
            session.execute(select(OutboxItem.status, func.count()).group_by(OutboxItem.status)).tuples().all()
        )
        studies = session.scalar(select(func.count()).select_from(Study)) or 0
    database = state.database.engine.dialect.name
    return render(request, "admin.html", images=images, outbox=outbox, studies=studies, database=database)


@router.get("/users")
def users(request: Request, user: Admin, done: str = "") -> Response:
    """All users, and a form for a new one."""
    return _users(request, done=done)


@router.post("/users")
def add_user(
    request: Request,
    user: AdminInPerson,
    name: Annotated[str, Form()],
    password: Annotated[str, Form()],
    role: Annotated[str, Form()] = "reader",
    full_name: Annotated[str, Form()] = "",
) -> Response:
    """Add a user with a first password, to be changed by the user."""
    _need_accounts(request)
    try:
        with request.app.state.database.session() as session:
            create_user(session, name, password, role=role, full_name=full_name, by=user.name)
    except ClinicError as error:
        return _users(request, error=error, name=name, full_name=full_name)
    return RedirectResponse("/admin/users?done=added", 303)


@router.post("/users/{user_id}")
def change_user(
    request: Request,
    user: AdminInPerson,
    user_id: int,
    action: Annotated[str, Form()],
    password: Annotated[str, Form()] = "",
) -> Response:
    """Change role or password, keep a user out, or let it in again."""
    _need_accounts(request)
    try:
        with request.app.state.database.session() as session:
            row = get_user(session, user_id)
            if action in ("disable", "enable"):
                set_disabled(session, row, action == "disable", by=user.name)
            elif action in ROLES:
                set_role(session, row, action, by=user.name)
            elif action == "password":
                set_password(session, row, password, by=user.name)
            else:
                raise ClinicError("no such action")
    except ClinicError as error:
        return _users(request, error=error)
    return RedirectResponse("/admin/users?done=changed", 303)


def _need_accounts(request: Request) -> None:
    if not request.app.state.settings.accounts:
        raise ForbiddenError("this clinic runs without accounts", remedy="Start it without --no-accounts.")


def _users(
    request: Request, *, error: ClinicError | None = None, done: str = "", name: str = "", full_name: str = ""
) -> Response:
    with request.app.state.database.session(writes=False) as session:
        rows = list_users(session)
    return render(
        request,
        "admin_users.html",
        status_code=status_of(error) if error else 200,
        users=rows,
        error=error,
        done=done,
        name=name,
        full_name=full_name,
        shortest=SHORTEST,
    )
