"""Reports of a study: HTML to print, PDF, CSV, FHIR R4. Each is logged as an export."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from myosono.clinic import audit
from myosono.clinic.reports.csv import to_csv
from myosono.clinic.reports.fhir import to_fhir
from myosono.clinic.reports.html import render_report
from myosono.clinic.reports.key_images import key_images
from myosono.clinic.reports.language import Language
from myosono.clinic.reports.pdf import render_pdf
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import StudyView
from myosono.clinic.web.pages import language_of
from myosono.clinic.web.parameters import Id, User, report_language

router = APIRouter(tags=["reports"])

Form = Literal["html", "pdf", "csv", "fhir.json"]
Wanted = Annotated[Literal["en", "zh-CN"] | None, Query(description="Language; none is the user's own.")]
_TYPES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "fhir.json": "application/fhir+json",
}
# The page carries its style and pictures in itself, has no script, and may load nothing.
_REPORT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "frame-ancestors 'none'",
        "sandbox allow-popups allow-modals",
    )
)
_CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {kind.split(";")[0]: {} for kind in _TYPES.values()}}}


@router.get("/studies/{study_id}/report.{form}", include_in_schema=False)
@router.get("/api/v1/studies/{study_id}/report.{form}", response_class=Response, responses=_CONTENT)
def report(request: Request, study_id: Id, form: Form, user: User, language: Wanted = None) -> Response:
    """A report in one of its forms."""
    chosen = language or report_language(language_of(request))
    with request.app.state.database.session(writes=False) as session:
        view = load_study(session, study_id)
        images = key_images(session, request.app.state.files, view) if form in ("html", "pdf") else {}
    data = _made(form, view, chosen, images)
    with request.app.state.database.session() as session:
        audit.record(
            session, user.name, "export", study_id=study_id, model_sha256=str(view.model.get("sha256", "")), form=form
        )
    shown = "attachment" if form in ("csv", "fhir.json") else "inline"
    headers = {"content-disposition": f'{shown}; filename="{_file_name(view)}.{form}"'}
    if form == "html":
        headers["content-security-policy"] = _REPORT_POLICY
    return Response(data, media_type=_TYPES[form], headers=headers)


def _made(form: str, view: StudyView, language: Language, images: object) -> bytes:
    pictures = dict(images) if isinstance(images, dict) else {}
    if form == "html":
        return render_report(view, language, pictures).encode()
    if form == "pdf":
        return render_pdf(view, language, pictures)
    if form == "csv":
        return to_csv([view]).encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
    return json.dumps(to_fhir(view), ensure_ascii=False, indent=2).encode()


def _file_name(view: StudyView) -> str:
    """Without the patient's name: files are mailed and lie about."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"myosono-study-{view.id}")
