"""``/events``: what changes, as server-sent events (WHATWG HTML 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from myosono.clinic.web.hub import KEEP_ALIVE_SECONDS, EventHub, News

router = APIRouter(tags=["live"])

_RETRY_MS = 2000


def prepare(app: FastAPI) -> None:
    """Give the application its hub."""
    app.state.events = EventHub(app.state.database)
    app.router.add_event_handler("shutdown", app.state.events.close)


@router.get("/events", response_class=StreamingResponse, include_in_schema=False)
async def stream(
    request: Request,
    last_event_id: Annotated[str | None, Header()] = None,
    after: int | None = None,
) -> StreamingResponse:
    """News since ``Last-Event-ID`` (sent by a browser that lost the connection) or ``after``, then as they come."""
    seen = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    lines = _lines(request.app.state.events, None if seen is None else min(seen, 2**62), request.state.still_in)
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


async def _lines(hub: EventHub, after: int | None, still_in: Callable[[], bool]) -> AsyncIterator[str]:
    """End where the user has been disabled or signed out meanwhile: the browser then asks again, and is refused."""
    yield f"retry: {_RETRY_MS}\n\n"
    asked = time.monotonic()
    async for news in hub.listen(after):
        if news is None or time.monotonic() - asked >= KEEP_ALIVE_SECONDS:
            asked = time.monotonic()
            if not await run_in_threadpool(still_in):
                return
        yield ": still here\n\n" if news is None else _message(news)


def _message(news: News) -> str:
    data = json.dumps({"study": news.study_id, **news.detail})
    return f"id: {news.id}\nevent: {news.kind}\ndata: {data}\n\n"
