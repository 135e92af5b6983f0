"""A study's page and its viewer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from myosono.anatomy import DIAGNOSES, MUSCLES
from myosono.clinic import audit, events
from myosono.clinic.reports.content import age_of, has_result, readable_name
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.opinions import diagnoses, draft_version, find_draft
from myosono.clinic.studies.signature import late_images, waiting_images
from myosono.clinic.studies.view import StudyView
from myosono.clinic.web.body_map import body_map
from myosono.clinic.web.pages import render
from myosono.clinic.web.parameters import Id, User, author_of
from myosono.clinic.web.security import CurrentUser
from myosono.clinic.web.study_parts import muscle_rows, probability_rows, viewer_images
from myosono.clinic.web.wording import wording

router = APIRouter(include_in_schema=False)


@router.get("/studies/{study_id}", response_class=HTMLResponse)
def study_page(request: Request, study_id: Id, user: User) -> HTMLResponse:
    """All that is known of a study, and the physician's reading. Opening it is logged."""
    with request.app.state.database.session(writes=False) as session:
        newest = events.latest(session)  # first: what changes in between is then told twice rather than never
        view = load_study(session, study_id)
        draft = find_draft(session, study_id, author_of(user))
    _log_view(request, view, user, "study")
    return render(
        request,
        "study.html",
        draft=draft,
        draft_version=draft_version(draft),
        mine=[one for one in view.opinions if one.user == user.name and one.signed_at is not None],
        newest=newest,
        diagnoses=diagnoses(view.classes or tuple(DIAGNOSES)),
        peers=request.app.state.settings.pacs.peers,
        other_banners=[one for one in view.banners if one not in request.app.state.model.warnings],
        **_context(request, view),
    )


@router.get("/studies/{study_id}/findings", response_class=HTMLResponse)
def study_findings(request: Request, study_id: Id) -> HTMLResponse:
    """The part of the page that the model makes, to replace the one on the page."""
    with request.app.state.database.session(writes=False) as session:
        view = load_study(session, study_id)
    return render(request, "study_findings.html", **_context(request, view))


@router.get("/studies/{study_id}/viewer", response_class=HTMLResponse)
def viewer_page(request: Request, study_id: Id, user: User) -> HTMLResponse:
    """The images of a study, to look at, compare and measure. Which ones, says the address after ``#``."""
    with request.app.state.database.session(writes=False) as session:
        view = load_study(session, study_id)
    _log_view(request, view, user, "viewer")
    images = viewer_images(view, wording(request))
    return render(request, "viewer.html", images=images, **_context(request, view))


def _log_view(request: Request, view: StudyView, user: CurrentUser, page: str) -> None:
    with request.app.state.database.session() as session:
        audit.record(
            session, user.name, "view", study_id=view.id, model_sha256=str(view.model.get("sha256", "")), page=page
        )


def _context(request: Request, view: StudyView) -> dict[str, Any]:
    return {
        "view": view,
        "age": age_of(view),
        "rows": muscle_rows(view),
        "has_result": has_result(view),
        "bars": probability_rows(view),
        "waiting": waiting_images(view),
        "late_images": late_images(view, view.signed),
        "body": body_map(view),
        "muscles": MUSCLES,
        "say": wording(request),
        "person": readable_name,
    }
