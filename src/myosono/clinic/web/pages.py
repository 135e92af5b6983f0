"""Render templates: one Jinja environment a language, with what every page needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

import myosono
from myosono.clinic.web.i18n import LANGUAGES, catalogue_version, choose_language, translate
from myosono.clinic.web.security import csrf_token, user_or_none
from myosono.hashing import sha256_bytes

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
LANGUAGE_COOKIE, THEME_COOKIE = "myosono_language", "myosono_theme"
THEMES = ("auto", "light", "dark")


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A page in the language of the request.

    Templates see ``context`` and: ``user`` (`CurrentUser` or None), ``csrf_token``, ``language``, ``languages``,
    ``theme``, ``settings``, ``model`` (see `app.state.model`), ``path``, ``here`` (with the query), ``version``, and
    the functions ``_`` and ``static``.
    """
    language = language_of(request)
    page = environment(language).get_template(template)
    state = request.app.state
    shared: Mapping[str, Any] = {
        "user": user_or_none(request),
        "csrf_token": csrf_token(request),
        "language": language,
        "languages": LANGUAGES,
        "catalogue_version": catalogue_version(language),
        "theme": theme_of(request),
        "settings": state.settings,
        "model": state.model,
        "path": request.url.path,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "version": myosono.__version__,
    }
    return HTMLResponse(page.render({**shared, **context}), status_code=status_code)


def language_of(request: Request) -> str:
    """The language to answer in."""
    user = user_or_none(request)
    chosen = [request.cookies.get(LANGUAGE_COOKIE), user.language if user else None]
    accept = request.headers.get("accept-language", "")
    return choose_language(chosen, accept, request.app.state.settings.language)


def theme_of(request: Request) -> str:
    """``auto``, ``light`` or ``dark``: set by the server, so that a dark room sees no white flash."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


@cache
def environment(language: str) -> jinja2.Environment:
    """Templates of a language. An undefined name is an error; all values are escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["_"] = partial(translate, language)
    made.globals["static"] = static
    made.filters["moment"] = moment
    made.filters["second"] = second
    made.filters["sentence"] = sentence
    made.filters["percent"] = percent
    made.filters["chance"] = chance
    return made


@cache
def static(name: str) -> str:
    """Address of a static file, with its hash, so that browsers may keep it for good."""
    return f"/static/{name}?v={sha256_bytes((STATIC / name).read_bytes())[:12]}"


def moment(value: datetime | None) -> str:
    """A time of this computer's zone, to the minute, as in ``2026-03-09 14:05``."""
    return "" if value is None else value.astimezone().strftime("%Y-%m-%d %H:%M")


def second(value: datetime) -> str:
    """A time of this computer's zone, to the second."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def sentence(text: str) -> str:
    """A clause, such as the reason of an error, as a sentence."""
    started = text[:1].upper() + text[1:]
    if started.endswith((".", "。", "!", "?", "？")):
        return started
    return started + ("。" if any(ord(letter) >= 0x2E80 for letter in started) else ".")


def percent(value: float | None, digits: int = 0) -> str:
    """A share as in ``73 %``; an en dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def chance(value: float | None) -> str:
    """A probability as in ``73 %``; never ``0 %`` or ``100 %``, which no model can know.

    Examples
    --------
    >>> chance(0.9971), chance(0.002), chance(0.5)
    ('> 99 %', '< 1 %', '50 %')
    """
    if value is None:
        return "–"
    shown = round(100 * value)
    return "< 1 %" if shown < 1 else "> 99 %" if shown > 99 else f"{shown} %"
