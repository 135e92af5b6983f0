"""Draw a document: one HTML file that needs nothing else, and the same as PDF."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from myosono.errors import MissingExtraError, RunError
from myosono.extras import require
from myosono.provenance import versions
from myosono.reporting.documents.record import Document
from myosono.reporting.pages import page_environment

Format = Literal["html", "pdf"]
_MISSING_LIBRARY = "On Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"

# Inside an <svg>, WeasyPrint resolves no CSS variables; these are the print colours of report.css.
_PRINT = {"ink": "#000", "quiet": "#444", "line": "#ccc", "paper": "#fff", "figure-font": "sans-serif"}


def render_document(document: Document) -> str:
    """The document as HTML text."""
    environment = page_environment()
    return environment.get_template("document.html").render(
        document=document,
        banners=document.banners,
        numbered=any(entry.number for entry in document.entries),
        svg=Markup,
        version=versions().get("myosono", ""),
    )


def write_document(document: Document, folder: str | Path, *, formats: tuple[Format, ...] = ("html",)) -> list[Path]:
    """Write a document under its stem.

    Parameters
    ----------
    folder
        Created if absent.
    formats
        ``html``, ``pdf`` or both.

    Returns
    -------
    list of Path
        The files, in the order of ``formats``.

    Raises
    ------
    MissingExtraError
        If PDF is asked for without WeasyPrint or the libraries that it needs.
    RunError
        If a file cannot be written.
    """
    text = render_document(document)
    made: dict[Format, bytes] = {
        kind: text.encode("utf-8") if kind == "html" else to_pdf(text) for kind in dict.fromkeys(formats)
    }
    out = Path(folder)
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for kind, content in made.items():
            path = out / f"{document.stem}.{kind}"
            path.write_bytes(content)
            paths.append(path)
    except OSError as error:
        raise RunError(f"cannot be written ({error.strerror})", path=out) from error
    return paths


def to_pdf(html: str) -> bytes:
    """A page as PDF; it may load nothing from anywhere.

    Raises
    ------
    MissingExtraError
        If WeasyPrint or the libraries that it needs are absent.
    RunError
        If the page asks for something outside itself.
    """
    try:
        weasyprint: Any = require("weasyprint", extra="documents", purpose="A PDF")
    except OSError as error:
        raise MissingExtraError(
            f"A PDF needs the Pango library, which cannot be loaded ({error})", remedy=_MISSING_LIBRARY
        ) from error
    in_print = re.sub(r"<svg.*?</svg>", lambda found: _print_colours(found[0]), html, flags=re.DOTALL)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=(), fail_on_errors=True)
    try:
        pdf: bytes = weasyprint.HTML(string=in_print, url_fetcher=fetcher).write_pdf()
    except weasyprint.urls.FatalURLFetchingError as error:
        raise RunError(f"a document loads nothing, but asks for something outside: {error}") from error
    return pdf


def _print_colours(svg: str) -> str:
    return re.sub(r"var\(--([\w-]+)\)", lambda found: _PRINT.get(found[1], found[0]), svg)
