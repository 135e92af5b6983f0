"""The report as PDF, by WeasyPrint, which may load nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from myosono.clinic.reports.html import render_report
from myosono.clinic.reports.language import Language
from myosono.clinic.studies.view import StudyView
from myosono.errors import ClinicError, MissingExtraError
from myosono.extras import require

_MISSING_LIBRARY = "On Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk"


def render_pdf(
    view: StudyView, language: Language, images: Mapping[str, bytes], *, made: datetime | None = None
) -> bytes:
    """The report of a study as PDF; parameters as in `myosono.clinic.reports.html.render_report`.

    Chinese needs a font that has it (``fonts-noto-cjk`` on Debian).

    Raises
    ------
    MissingExtraError
        If WeasyPrint or the libraries that it needs are absent.
    ClinicError
        If the page asks for something outside itself.
    """
    try:
        weasyprint: Any = require("weasyprint", extra="clinic", purpose="A PDF")
    except OSError as error:
        raise MissingExtraError(
            f"A PDF needs the Pango library, which cannot be loaded ({error})", remedy=_MISSING_LIBRARY
        ) from error
    # Pictures are data URIs; every other address is refused, also one that came in a patient's name.
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",), fail_on_errors=True)
    page = render_report(view, language, images, made=made)
    try:
        pdf: bytes = weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf()
    except weasyprint.urls.FatalURLFetchingError as error:
        raise ClinicError(f"a report loads nothing, but asks for something outside: {error}") from error
    return pdf
