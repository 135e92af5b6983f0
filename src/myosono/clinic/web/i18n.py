"""Two languages: catalogues are JSON files keyed by the English text, ``locale/<language>.json``.

Templates write ``{{ _("Sign out") }}`` or ``{{ _("{n} images", n=3) }}``, scripts ``t("Sign out")``, Python code marks
a text that a template translates later with `N_`. A text without a translation appears in English; a test of the web
pages fails for it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from myosono.hashing import sha256_bytes

LANGUAGES = {"en": "EN", "zh-CN": "中文"}
"""Code (BCP 47) and how the switch names it."""

_LOCALE = Path(__file__).parent / "locale"


def N_(text: str) -> str:  # noqa: N802
    """Mark a text for translation where it is written, to be translated where it is shown (as in gettext)."""
    return text


@cache
def catalogue(language: str) -> dict[str, str]:
    """English text to the text of a language; empty for English."""
    path = _LOCALE / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8")) if language in LANGUAGES and path.is_file() else {}


@cache
def catalogue_version(language: str) -> str:
    """Changes whenever the catalogue does, for the address that browsers keep it under."""
    return sha256_bytes(json.dumps(catalogue(language), sort_keys=True).encode())[:12]


def translate(language: str, text: str, **values: Any) -> str:
    """A text in a language, its ``{name}`` fields filled in.

    Only texts with values are formatted, so that a message which happens to hold a brace passes unharmed.
    """
    found = catalogue(language).get(text, text)
    return found.format(**values) if values else found


def choose_language(preferences: list[str | None], accept: str, default: str) -> str:
    """The first known language of: what the user chose, what the browser asks for, the clinic's own."""
    for choice in preferences:
        if choice in LANGUAGES:
            return choice
    for part in accept.split(","):
        code = part.split(";")[0].strip().lower()
        if code.startswith("zh"):
            return "zh-CN"
        if code.startswith("en"):
            return "en"
    return default
