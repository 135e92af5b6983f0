"""Correcting which muscle an image shows: recorded, and the study pooled again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from myosono.anatomy import parse_site
from myosono.clinic import audit
from myosono.clinic.database.models import StoredImage, Study
from myosono.clinic.work.pooling import lock_study, pool_study
from myosono.clinic.work.reader import StudyReader
from myosono.errors import NotFoundError, UsageError


def correct_site(session: Session, image_id: int, site: str, user: str, reader: StudyReader) -> Study:
    """Set the muscle and side of an image.

    Parameters
    ----------
    site
        Such as ``RD``; ``""`` for unknown.
    user
        For the log.
    reader
        Whose rule pools the study again.

    Raises
    ------
    NotFoundError
        If there is no such image.
    UsageError
        If there is no such site.
    """
    muscle, side = _parts(site)
    image = session.get(StoredImage, image_id)
    if image is None:
        raise NotFoundError(f"there is no image {image_id}")
    study = lock_study(session, image.study_id)
    was = f"{image.side or ''}{image.muscle or ''}"
    if (image.muscle, image.side) == (muscle, side):
        return study
    image.muscle, image.side = muscle, side
    audit.record(session, user, audit.SITE_CORRECTED, study_id=study.id, image=image.id, before=was, after=site)
    session.flush()
    return pool_study(session, study.id, reader)


def _parts(site: str) -> tuple[str | None, str | None]:
    if not site:
        return None, None
    found = parse_site(site)
    if found is None:
        raise UsageError(f"no such site: {site!r}", remedy="Side and muscle, such as RD.")
    return found
