"""The worklist: the page, and its table alone for live updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from myosono.clinic import events
from myosono.clinic.reports.content import readable_name
from myosono.clinic.studies.worklist import SOURCES, STATUSES, UNDECIDED, WorklistQuery, list_studies
from myosono.clinic.web.pages import render
from myosono.clinic.web.worklist_query import DEFAULT_QUERY, worklist_query

router = APIRouter(include_in_schema=False)

WantedList = Annotated[WorklistQuery, Depends(worklist_query)]


@router.get("/", response_class=HTMLResponse)
def worklist_page(request: Request, query: WantedList) -> HTMLResponse:
    """All studies."""
    return render(request, "worklist.html", **_context(request, query))


@router.get("/worklist/table", response_class=HTMLResponse)
def worklist_table(request: Request, query: WantedList) -> HTMLResponse:
    """The table and what belongs to it, to replace the one on the page."""
    return render(request, "worklist_table.html", **_context(request, query))


def _context(request: Request, query: WorklistQuery) -> dict[str, Any]:
    with request.app.state.database.session(writes=False) as session:
        newest = events.latest(session)  # first: what changes in between is then told twice rather than never
        found = list_studies(session, query)
    return {
        "query": query,
        "found": found,
        "newest": newest,
        "statuses": STATUSES,
        "sources": SOURCES,
        "undecided": UNDECIDED,
        "person": readable_name,
        "filtered": bool(_plain(query).keys() - {"order", "descending", "page", "page_size"}),
        "link": lambda **changes: "/?" + urlencode(_plain(query, **changes)),
    }


def _plain(query: WorklistQuery, **changes: Any) -> Mapping[str, str]:
    """What of a query is not its default, as address parameters; a change other than of the page leads to page 1."""
    wanted = asdict(query) | ({} if "page" in changes else {"page": 1}) | changes
    default = asdict(DEFAULT_QUERY)
    if wanted["order"] != default["order"]:
        del default["descending"]  # each order has its own default: state it
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in wanted.items()
        if value is not None and (key not in default or value != default[key])
    }
