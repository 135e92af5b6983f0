"""The JSON API beside what other modules bring: studies, readings, sends; and the page that describes it all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from myosono.clinic import audit
from myosono.clinic.network.outbox import enqueue, of_study, retry
from myosono.clinic.network.peers import find_peer
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import StudyView
from myosono.clinic.studies.worklist import WorklistPage, WorklistQuery, list_studies
from myosono.clinic.web.pages import render
from myosono.clinic.web.parameters import Id, User
from myosono.clinic.web.reading_json import reading_contract
from myosono.clinic.web.worklist_query import worklist_query
from myosono.errors import NotFoundError, UsageError

router = APIRouter()
v1 = APIRouter(prefix="/api/v1")


class SendBody(BaseModel):
    """What to send where."""

    model_config = ConfigDict(extra="forbid")
    peer: str = Field(max_length=100)
    via: Literal["dimse", "dicomweb"] = "dimse"
    kinds: list[Literal["sr", "capture", "pdf", "images"]] = Field(min_length=1, max_length=4)


class SendItem(BaseModel):
    """An object on its way; ``status`` is waiting, sending, sent or failed."""

    id: int
    kind: str
    peer: str
    via: str
    reason: str
    status: str
    attempts: int
    next_try: datetime
    error: str | None
    created: datetime
    sent_at: datetime | None


class SendList(BaseModel):
    """Newest first."""

    items: list[SendItem]


@v1.get("/studies", tags=["studies"])
def studies(request: Request, query: Annotated[WorklistQuery, Depends(worklist_query)]) -> WorklistPage:
    """The worklist, a page at a time."""
    with request.app.state.database.session(writes=False) as session:
        return list_studies(session, query)


@v1.get("/studies/{study_id}", tags=["studies"])
def study(request: Request, study_id: Id, user: User) -> StudyView:
    """All that the clinic knows of a study; of drafts, one's own only."""
    view = _seen(request, study_id, user.name)
    shown = tuple(one for one in view.opinions if one.signed_at is not None or one.user == user.name)
    return replace(view, opinions=shown)


@v1.get("/studies/{study_id}/reading", tags=["studies"])
def reading(request: Request, study_id: Id, user: User) -> dict[str, Any]:
    """The reading contract, as `myosono read --json` prints it."""
    return reading_contract(_seen(request, study_id, user.name))


@v1.get("/studies/{study_id}/sends", tags=["sending"])
def sends(request: Request, study_id: Id) -> SendList:
    """What was sent of a study, or waits to be."""
    with request.app.state.database.session(writes=False) as session:
        return _list(of_study(session, study_id))


@v1.post("/studies/{study_id}/sends", status_code=202, tags=["sending"])
def send(request: Request, study_id: Id, body: SendBody, user: User) -> SendList:
    """Put objects of a study into the outbox."""
    settings = request.app.state.settings
    if body.peer not in {peer.name for peer in settings.pacs.peers}:  # no address of the caller's own
        raise NotFoundError(f"no PACS is called {body.peer!r}", remedy="Add [[pacs.peers]] to clinic.toml.")
    if body.via == "dicomweb" and find_peer(settings, body.peer).dicomweb is None:
        raise UsageError(f"{body.peer} has no DICOMweb address", remedy="Send it by DIMSE.")
    with request.app.state.database.session() as session:
        items = [enqueue(session, study_id, kind, body.peer, body.via, user.name) for kind in dict.fromkeys(body.kinds)]
        audit.record(
            session, user.name, "send", study_id=study_id, peer=body.peer, via=body.via, kinds=list(body.kinds)
        )
        return _list(items)


@v1.post("/sends/{item_id}/retry", tags=["sending"])
def send_again(request: Request, item_id: Id, user: User) -> SendItem:
    """Try a failed object again."""
    with request.app.state.database.session() as session:
        return SendItem.model_validate(retry(session, item_id, user.name), from_attributes=True)


@router.get("/api/docs", response_class=HTMLResponse, include_in_schema=False)
def documentation(request: Request) -> HTMLResponse:
    """The API, described from its OpenAPI document."""
    schema = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method, facts in methods.items():
            group = (facts.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append({"method": method.upper(), "path": path, **facts})
    return render(request, "api_docs.html", groups=groups)


def _seen(request: Request, study_id: int, user: str) -> StudyView:
    with request.app.state.database.session(writes=False) as session:
        view = load_study(session, study_id)
    with request.app.state.database.session() as session:
        audit.record(
            session, user, "view", study_id=study_id, model_sha256=str(view.model.get("sha256", "")), page="api"
        )
    return view


def _list(items: Any) -> SendList:
    return SendList(items=[SendItem.model_validate(item, from_attributes=True) for item in items])


router.include_router(v1)
