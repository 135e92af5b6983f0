"""Pictures of stored images: whole frames, thumbnails, maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from myosono.clinic.database.models import FrameReading, StoredImage
from myosono.clinic.web.parameters import LARGEST_ID, FrameNumber, Id
from myosono.clinic.web.pictures import PictureCache, frame_png, map_png, picture_name, thumbnail_webp
from myosono.errors import NotFoundError

router = APIRouter(prefix="/images", tags=["images"])

# The browser may keep them but must ask each time, so that nobody sees them who has signed out.
_KEPT = "private, no-cache"
WantedFrame = Annotated[int, Query(ge=0, le=LARGEST_ID)]
IfNoneMatch = Annotated[str | None, Header()]


def prepare(app: FastAPI) -> None:
    """Give the application its folder of derived pictures."""
    app.state.pictures = PictureCache(app.state.settings.data / "cache")


@dataclass(frozen=True)
class _Source:
    """A stored image, and what was read of one frame; ``size`` is width and height of the B-mode area."""

    file: str
    sha256: str
    area: tuple[int, int, int, int] | None


@router.get("/{image_id}/frames/{frame}.png", responses={200: {"content": {"image/png": {}}}})
def frame_picture(request: Request, image_id: Id, frame: FrameNumber, if_none_match: IfNoneMatch = None) -> Response:
    """A frame, whole and without loss."""
    source = _source(request, image_id, frame)
    name = picture_name("frame", source.sha256, frame)
    if if_none_match == f'"{name}"':
        return _unchanged(name)
    state = request.app.state
    data = state.pictures.get(name, lambda: frame_png(state.files, source.file, frame))
    return _picture(data, "image/png", name)


@router.get("/{image_id}/thumbnail.webp", responses={200: {"content": {"image/webp": {}}}})
def thumbnail(
    request: Request,
    image_id: Id,
    frame: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The B-mode area of a frame, small."""
    source = _source(request, image_id, frame)
    name = picture_name("thumbnail", source.sha256, frame, *(source.area or ()))
    if if_none_match == f'"{name}"':
        return _unchanged(name)
    state = request.app.state
    data = state.pictures.get(name, lambda: thumbnail_webp(state.files, source.file, frame, source.area))
    return _picture(data, "image/webp", name)


@router.get("/{image_id}/frames/{frame}/map.png", responses={200: {"content": {"image/png": {}}}})
def map_picture(
    request: Request, image_id: Id, frame: FrameNumber, layer: str, if_none_match: IfNoneMatch = None
) -> Response:
    """A class's heat map, or the shrinkage map, as a transparent picture of the B-mode area's size."""
    with request.app.state.database.session(writes=False) as session:
        row = session.scalar(
            select(FrameReading)
            .where(FrameReading.image_id == image_id, FrameReading.frame == frame)
            .options(undefer(FrameReading.maps))
        )
    if row is None or row.maps is None:
        raise NotFoundError(f"frame {frame} of image {image_id} has no maps")
    top, left, bottom, right = row.area
    tag = f"map-{row.id}-{row.model_sha256[:16]}-{layer.encode().hex()[:40]}"
    if if_none_match == f'"{tag}"':
        return _unchanged(tag)
    data = map_png(row.maps, tuple(row.probabilities), layer, (right - left, bottom - top))
    return _picture(data, "image/png", tag)


def _source(request: Request, image_id: int, frame: int) -> _Source:
    """Only what the watched reading process has decoded: a decoder that hangs would hold a thread of the web."""
    with request.app.state.database.session(writes=False) as session:
        image = session.get(StoredImage, image_id)
        if image is None:
            raise NotFoundError(f"there is no image {image_id}")
        if image.status != "read":
            raise NotFoundError(f"image {image_id} has not been read", remedy="Pictures are shown of images that were.")
        return _Source(image.file, image.sha256, _area(session, image_id, frame))


def _area(session: Session, image_id: int, frame: int) -> tuple[int, int, int, int] | None:
    found = session.scalar(
        select(FrameReading.area).where(FrameReading.image_id == image_id, FrameReading.frame == frame)
    )
    if found is None:
        return None
    top, left, bottom, right = found
    return (top, left, bottom, right)


def _picture(data: bytes, kind: str, tag: str) -> Response:
    return Response(data, media_type=kind, headers={"etag": f'"{tag}"', "cache-control": _KEPT})


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"etag": f'"{tag}"', "cache-control": _KEPT})
