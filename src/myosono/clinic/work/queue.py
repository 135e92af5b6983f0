"""The queue of unread images: claimed with a lease, finished once.

A claim hides an image from other workers until its lease ends. A worker that dies leaves its image to the next one; a
worker that comes back too late finds that the lease is another's, and what it read is dropped. The result and the new
status are committed together, so an image has either no result or exactly one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from myosono.clinic.audit import SITE_CORRECTED
from myosono.clinic.database.models import AuditEntry, FrameReading, StoredImage, utc_now
from myosono.errors import ConflictError

MAX_ATTEMPTS = 3
"""After so many readings that ended in no answer an image counts as failed."""

_STOPPED = f"reading it stopped the reading process {MAX_ATTEMPTS} times"
_UNREAD = ("pending", "reading")


def claim(session: Session, owner: str, lease_seconds: float) -> StoredImage | None:
    """Take the oldest unread image, or one whose lease has ended; one that was tried before comes after all others.

    Parameters
    ----------
    session
        Opened for writing. On PostgreSQL two workers never wait for each other here (SKIP LOCKED).
    owner
        Name of the worker, unique among those alive.
    lease_seconds
        How long it is hidden from others.

    Returns
    -------
    StoredImage or None
        With its status ``reading``; None if nothing waits. What has `MAX_ATTEMPTS` behind it is left to `give_up`.
    """
    now = utc_now()
    waiting = select(StoredImage).where((StoredImage.status == "pending") | _abandoned(now))
    fresh = waiting.where(StoredImage.attempts < MAX_ATTEMPTS).order_by(StoredImage.attempts, StoredImage.id).limit(1)
    image = session.scalar(fresh.with_for_update(skip_locked=True, of=StoredImage))
    if image is None:
        return None
    image.status = "reading"
    image.attempts += 1
    image.lease_owner = owner
    image.lease_until = now + timedelta(seconds=lease_seconds)
    session.flush()
    return image


def give_up(session: Session) -> list[StoredImage]:
    """Fail the images that took their reader down `MAX_ATTEMPTS` times, and return them."""
    used_up = select(StoredImage).where(_abandoned(utc_now()) | (StoredImage.status == "pending"))
    images = session.scalars(
        used_up.where(StoredImage.attempts >= MAX_ATTEMPTS).with_for_update(skip_locked=True, of=StoredImage)
    ).all()
    for image in images:
        _end(image, "failed", image.error or _STOPPED)
    session.flush()
    return list(images)


def renew(session: Session, image_id: int, owner: str, lease_seconds: float) -> None:
    """Prolong a lease while a long cine is read.

    Raises
    ------
    ConflictError
        If the image is no longer this worker's.
    """
    image = _held(session, image_id, owner)
    image.lease_until = utc_now() + timedelta(seconds=lease_seconds)


def finish(
    session: Session, image_id: int, frames: Sequence[FrameReading], *, owner: str, error: str | None = None
) -> StoredImage:
    """Keep a result; commit it with what else the session holds.

    Parameters
    ----------
    frames
        Rows for every frame that was read, one or more.
    error
        Why later frames of a damaged file are missing.

    Raises
    ------
    ConflictError
        If the lease has gone to another worker: the result must be dropped.
    """
    image = _held(session, image_id, owner)
    for frame in frames:
        frame.image_id = image_id
    session.add_all(frames)
    first = frames[0]
    if not _site_was_corrected(session, image):  # what a person set, "unknown" too, is not guessed again
        image.muscle, image.side = image.muscle or first.muscle, image.side or first.side
    _end(image, "read", error)
    return image


def _site_was_corrected(session: Session, image: StoredImage) -> bool:
    entries = session.scalars(
        select(AuditEntry.detail).where(AuditEntry.study_id == image.study_id, AuditEntry.action == SITE_CORRECTED)
    )
    return any(detail.get("image") == image.id for detail in entries)


def fail(session: Session, image_id: int, *, owner: str, error: str, retry: bool) -> StoredImage:
    """Note why an image could not be read.

    Parameters
    ----------
    retry
        True where another attempt may help; it then waits again until `MAX_ATTEMPTS` are used up.

    Raises
    ------
    ConflictError
        If the lease has gone to another worker.
    """
    image = _held(session, image_id, owner)
    _end(image, "pending" if retry and image.attempts < MAX_ATTEMPTS else "failed", error)
    return image


def release(session: Session, owner: str, *, forgive: bool = False, error: str | None = None) -> int:
    """Give back what a worker held that holds nothing any more, and return how many images that was.

    Parameters
    ----------
    forgive
        True where the image cannot have been the reason: the attempt is not counted.
    error
        What went wrong, if it is known.
    """
    held = (StoredImage.status == "reading") & (StoredImage.lease_owner == owner)
    freed: dict[str, Any] = {"status": "pending", "lease_owner": None, "lease_until": None, "error": error}
    if forgive:
        freed["attempts"] = StoredImage.attempts - 1
    return len(session.execute(update(StoredImage).where(held).values(freed).returning(StoredImage.id)).all())


def unread(session: Session, study_id: int | None = None) -> int:
    """How many images wait or are being read, of one study or of all."""
    count = select(func.count()).select_from(StoredImage).where(StoredImage.status.in_(_UNREAD))
    return session.scalar(count if study_id is None else count.where(StoredImage.study_id == study_id)) or 0


def put_back(session: Session, images: Iterable[StoredImage]) -> None:
    """Have images read again: what was said of them is dropped."""
    for image in images:
        session.execute(delete(FrameReading).where(FrameReading.image_id == image.id))
        session.expire(image, ["frames"])
        image.attempts = 0
        _end(image, "pending", None)
    session.flush()


def _abandoned(now: datetime) -> ColumnElement[bool]:
    ended = or_(StoredImage.lease_until.is_(None), StoredImage.lease_until < now)
    return (StoredImage.status == "reading") & ended


def _held(session: Session, image_id: int, owner: str) -> StoredImage:
    image = session.scalar(
        select(StoredImage)
        .where(StoredImage.id == image_id)
        .with_for_update(of=StoredImage)
        .execution_options(populate_existing=True)
    )
    if image is None or image.status != "reading" or image.lease_owner != owner:
        raise ConflictError(f"image {image_id} is no longer leased to {owner}")
    return image


def _end(image: StoredImage, status: str, error: str | None) -> None:
    image.status, image.error = status, error
    image.lease_owner = image.lease_until = None
    image.read_at = utc_now() if status in ("read", "failed") else None
