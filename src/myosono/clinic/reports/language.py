"""Reports in two languages: a catalogue keyed by the English text, and patterns for sentences that hold figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Literal

Language = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
Translate = Callable[[str], str]


def translator(language: Language) -> Translate:
    """How a text is said in a language.

    Returns
    -------
    callable
        From English. What the catalogue lacks stays English: a reason is better read in another language than not
        at all.

    Examples
    --------
    >>> translator("zh-CN")("blank image: almost no contrast")
    '图像空白：几乎没有对比度'
    """
    if language == "en":
        return _same
    texts, patterns = _catalogue(language)

    def translate(text: str) -> str:
        if text in texts:
            return texts[text]
        for pattern, said in patterns:
            if found := pattern.fullmatch(text):
                # Parts that are texts of their own, such as a diagnosis, are translated too.
                return said.format(*(translate(part or "") for part in found.groups()))
        return text

    return translate


def _same(text: str) -> str:
    return text


@cache
def _catalogue(language: Language) -> tuple[dict[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    source = resources.files(__package__) / f"{language}.json"
    data: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    patterns = tuple((re.compile(pattern, re.DOTALL), said) for pattern, said in data["patterns"].items())
    return data["texts"], patterns
