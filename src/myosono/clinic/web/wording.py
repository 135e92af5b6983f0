"""What the reader and the intake say in English (reasons, warnings, refusals), in the language of a page."""

from __future__ import annotations

from fastapi import Request

from myosono.clinic.reports.language import Translate, translator
from myosono.clinic.web.i18n import translate
from myosono.clinic.web.pages import language_of
from myosono.clinic.web.parameters import report_language


def wording(request: Request) -> Translate:
    """How to say such a text; what no catalogue knows stays English, which is better than not at all."""
    language = language_of(request)
    of_reports = translator(report_language(language))

    def say(text: str) -> str:
        said = of_reports(text)
        return translate(language, text) if said == text else said

    return say
