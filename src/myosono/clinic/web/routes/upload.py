"""Uploads: one request a file, its bytes as the body, so that each is kept or refused for itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from myosono.clinic.files.store import UPLOAD
from myosono.clinic.files.uploads import LeftOut, UploadOutcome, new_upload, receive_upload
from myosono.clinic.web.parameters import User
from myosono.clinic.web.wording import wording
from myosono.errors import UploadError

router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])

_BUFFER = 1 << 20
UploadName = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]
FileName = Annotated[str, Query(min_length=1, max_length=1000, description="With its folders.")]
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_BODY = {"requestBody": {"required": True, "content": _BINARY}}


class UploadAnswer(BaseModel):
    """The name of an upload: files sent under it that are no DICOM make one study for each patient."""

    upload: str


@router.post("", status_code=201)
def start(user: User) -> UploadAnswer:
    """Begin an upload of any number of files."""
    return UploadAnswer(upload=new_upload())


@router.post("/{upload}/files", openapi_extra=_BODY)
async def add_file(request: Request, upload: UploadName, name: FileName, user: User) -> UploadOutcome:
    """Send one image, cine loop, DICOM file or zip archive."""
    state = request.app.state
    state.files.check_room()
    limit = state.settings.uploads.file_bytes
    handle, temporary = tempfile.mkstemp(prefix=UPLOAD, dir=state.files.root)
    try:
        with os.fdopen(handle, "wb") as target:
            await _receive(request.stream(), target, limit)
        outcome = await run_in_threadpool(
            receive_upload, state.database, state.files, Path(temporary), name, upload=upload, sender=user.name
        )
        say = wording(request)
        return replace(outcome, refused=tuple(LeftOut(one.name, say(one.reason)) for one in outcome.refused))
    finally:
        Path(temporary).unlink(missing_ok=True)


async def _receive(chunks: AsyncIterator[bytes], target: BinaryIO, limit: int) -> None:
    """Write a body to disk, a megabyte at a time, off the event loop.

    Raises
    ------
    UploadError
        If it is larger than the limit; the rest is not read.
    """
    waiting, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise UploadError(f"holds more than the limit of {limit / 1e6:,.0f} MB")
        waiting += chunk
        if len(waiting) >= _BUFFER:
            await run_in_threadpool(target.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(target.write, bytes(waiting))
