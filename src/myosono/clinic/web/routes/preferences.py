"""Language and light of the pages: cookies, and for the language also the account."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from myosono.clinic.accounts.users import get_user
from myosono.clinic.web.gate import cookie_header
from myosono.clinic.web.i18n import LANGUAGES, catalogue
from myosono.clinic.web.pages import LANGUAGE_COOKIE, THEME_COOKIE, THEMES
from myosono.clinic.web.security import safe_target, user_or_none
from myosono.errors import ClinicError, NotFoundError

router = APIRouter(include_in_schema=False)
_YEAR = 365 * 24 * 3600


@router.post("/preferences")
def preferences(
    request: Request,
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
    target: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Remember a choice and go back to the page it was made on."""
    if language not in (None, *LANGUAGES) or theme not in (None, *THEMES):
        raise ClinicError("no such language or theme")
    answer = RedirectResponse(safe_target(target), 303)
    for name, value in ((LANGUAGE_COOKIE, language), (THEME_COOKIE, theme)):
        if value is not None:
            answer.headers.append("set-cookie", cookie_header(name, value, request, max_age=_YEAR))
    user = user_or_none(request)
    if language is not None and user is not None:
        with request.app.state.database.session() as session:
            get_user(session, user.id).language = language
    return answer


@router.get("/locale/{language}.js")
def locale(language: str) -> Response:
    """The catalogue as a script, so that a module has it before it runs (`static/i18n.js`)."""
    if language not in LANGUAGES:
        raise NotFoundError("no such language")
    body = json.dumps(catalogue(language), ensure_ascii=False).replace("</", "<\\/")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(f"globalThis.myosonoTexts = {body};\n", media_type="text/javascript", headers=headers)
