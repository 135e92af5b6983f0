"""Who is asking: what `gate.Gate` found out, as the pages use it."""

from __future__ import annotations

from fastapi import Request

from myosono.clinic.accounts.users import CurrentUser
from myosono.errors import ForbiddenError

__all__ = ["CurrentUser", "csrf_token", "current_user", "require_admin", "user_or_none"]


class LoginRequiredError(ForbiddenError):
    """Nobody is logged in (HTTP 401; pages lead to the login)."""


def user_or_none(request: Request) -> CurrentUser | None:
    """The user, None on pages that anyone may see."""
    return getattr(request.state, "user", None)


def current_user(request: Request) -> CurrentUser:
    """The user; use as ``user: Annotated[CurrentUser, Depends(current_user)]``.

    Raises
    ------
    LoginRequiredError
        If there is none.
    """
    user = user_or_none(request)
    if user is None:
        raise LoginRequiredError("log in first")
    return user


def person(request: Request) -> CurrentUser:
    """The user, if a person with a password: an API token must not make tokens or change passwords.

    Raises
    ------
    ForbiddenError
        If it is a program, or the clinic runs without accounts.
    """
    user = current_user(request)
    if user.by_token or not request.app.state.settings.accounts:
        raise ForbiddenError("this needs a person who has signed in")
    return user


def require_admin(request: Request) -> CurrentUser:
    """The user, if an administrator.

    Raises
    ------
    ForbiddenError
        If not.
    """
    user = current_user(request)
    if not user.is_admin:
        raise ForbiddenError("only an administrator may do this")
    return user


def admin_in_person(request: Request) -> CurrentUser:
    """As `require_admin`, and no program: a token in other hands must not make accounts that outlive it.

    Raises
    ------
    ForbiddenError
        If the user is no administrator, or the request came with an API token.
    """
    user = require_admin(request)
    if user.by_token:
        raise ForbiddenError("this needs a person who has signed in")
    return user


def csrf_token(request: Request) -> str:
    """What a form sends as ``csrf_token``, and a script as the header ``X-CSRF-Token``."""
    return getattr(request.state, "csrf", "")


def client_address(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else ""


def safe_target(target: str) -> str:
    """A page of ours to go to next: another site's address, however it is spelt, becomes the worklist."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and "\\" not in target else "/"
