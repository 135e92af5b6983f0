"""`GET /healthz`, for whoever watches the server: no login, nothing about patients."""

from __future__ import annotations

import shutil
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

import myosono
from myosono.errors import UnavailableError

router = APIRouter(tags=["health"])


@router.get("/healthz", responses={503: {"description": "No answer of the database, a full disk, or nothing reads."}})
def health(request: Request) -> JSONResponse:
    """``status`` is ``ok``, or what is wrong: ``database``, ``disk``, ``reading``.

    The database does not answer; there is too little space to accept images; images are accepted, but the reading
    process cannot be started (it is tried again and again).
    """
    state = request.app.state
    status = "reading" if state.reading_missing() else "ok"
    if shutil.disk_usage(_existing(state.settings.data)).free < state.settings.uploads.free_bytes:
        status = "disk"
    try:
        with state.database.session(writes=False) as session:
            # A table of ours: SQLite would make an empty database where the file has gone, and be content.
            session.execute(text("SELECT version_num FROM alembic_version"))
    except UnavailableError:
        status = "database"
    body: dict[str, Any] = {"status": status, "model": state.model.name, "version": myosono.__version__}
    return JSONResponse(body, 200 if status == "ok" else 503)


def _existing(path: Any) -> Any:
    return path if path.exists() else path.parent if path.parent.exists() else "."
