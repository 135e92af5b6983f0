"""The page on agreement between model and physicians, and its JSON."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from myosono.clinic.studies.agreement import Agreement, measure_agreement
from myosono.clinic.web.pages import render

router = APIRouter()


@router.get("/agreement", response_class=HTMLResponse, include_in_schema=False)
def agreement_page(request: Request) -> HTMLResponse:
    """Confusion, kappa, abstentions, Heckmatt grades between readers."""
    return render(request, "agreement.html", found=_measured(request))


@router.get("/api/v1/agreement", tags=["quality"])
def agreement(request: Request) -> Agreement:
    """From all signed readings that nothing amends."""
    return _measured(request)


def _measured(request: Request) -> Agreement:
    with request.app.state.database.session(writes=False) as session:
        return measure_agreement(session)
