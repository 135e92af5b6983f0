"""Two languages: catalogues are JSON files keyed by the English text, ``locale/<language>.json``.

Templates write ``{{ _("Sign out") }}`` or ``{{ _("{n} images", n=3) }}``, scripts ``t("Sign out")``, Python code marks
a text that a template translates later with `N_`. A text without a translation appears in English; a test of the web
pages fails for it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from myosono.hashing import sha256_bytes

LANGUAGES = {"en": "EN", "zh-CN": "中文"}
"""Code (BCP 47) and how the switch names it."""

_FIELD = re.compile(r"\{(\w+)\}")
_SENTENCE = 22
"""Letters from which an entry of the catalogue is a sentence, and so sure to be meant."""
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

    Without values, the text may also be one that was filled in where it was made, such as the message of an error: it
    is then recognised by the entry of the catalogue that it fits, and its values are put into the translation.
    """
    known = catalogue(language)
    if values:
        return known.get(text, text).format(**values)
    if not known or text in known:
        return known.get(text, text)
    for pattern, translation in _patterns(language):
        if fits := pattern.fullmatch(text):
            return translation.format(**fits.groupdict())
    return text


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Entries with fields, as patterns of what they look like filled in; the longest first, as the most specific."""
    found = []
    for text, translation in sorted(catalogue(language).items(), key=lambda entry: -len(entry[0])):
        parts = _FIELD.split(text)
        if len(parts) > 1 and len(set(parts[1::2])) == len(parts[1::2]):
            # Of a short entry, such as "{found} of {all}", a field is one word: it would take whole sentences.
            letters = sum(character.isalpha() for part in parts[::2] for character in part)
            value = ".+?" if letters >= _SENTENCE else r"\S+"
            escaped = (f"(?P<{part}>{value})" if number % 2 else re.escape(part) for number, part in enumerate(parts))
            found.append((re.compile("".join(escaped), re.DOTALL), translation))
    return found


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
