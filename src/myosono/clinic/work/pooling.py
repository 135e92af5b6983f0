"""The study's result from all that has been read of it, by the reader's own rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from myosono.clinic import audit, events
from myosono.clinic.database.models import FrameReading, StoredImage, Study, utc_now
from myosono.clinic.work.queue import put_back
from myosono.clinic.work.reader import StudyReader
from myosono.errors import ConflictError, NotFoundError
from myosono.quantification import ImageQuantities, MeasuredImage, StudyQuantities
from myosono.reading.reader import STUDY

NORMAL = "Normal"
"""The class whose complement is a study's priority."""


@dataclass(frozen=True)
class PooledFrame:
    """A stored frame as `myosono.reading.pool_patients` wants it."""

    path: str
    patient_id: str
    muscle: str | None
    side: str | None
    probabilities: dict[str, float]
    abstained: bool
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, study: Study, image: StoredImage, frame: FrameReading) -> PooledFrame:
        """The site is the image's: a person may have corrected it since the frame was read."""
        return cls(
            path=image.file,
            patient_id=study.patient_id or STUDY,
            muscle=image.muscle,
            side=image.side,
            probabilities=frame.probabilities,
            abstained=frame.abstained,
            reasons=tuple(frame.reasons),
        )


def pool_study(session: Session, study_id: int, reader: StudyReader) -> Study:
    """Make a study's result, priority, quantification and status anew.

    Two models are never pooled together: images that another model read are put back into the queue, and the result
    waits for them. Call it in the transaction of what changed; the study stays locked until its end.

    Parameters
    ----------
    reader
        Whose rule, classes and normals are used.

    Raises
    ------
    NotFoundError
        If there is no such study.
    """
    study = lock_study(session, study_id)
    images = session.scalars(
        select(StoredImage)
        .where(StoredImage.study_id == study_id)
        .order_by(StoredImage.id)
        .execution_options(populate_existing=True)
    ).all()
    rows = _frames(session, study_id)
    old = {frame.image_id for frame in rows if frame.model_sha256 != reader.model_sha256}
    put_back(session, [image for image in images if image.id in old])
    by_id = {image.id: image for image in images}
    kept = [(by_id[frame.image_id], frame) for frame in rows if frame.image_id not in old]
    before = study.status
    _pool(study, kept, reader)
    study.status = _status(study.status, Counter(image.status for image in images))
    study.updated = utc_now()
    if study.status != before and study.status in ("read", "failed"):
        _record(session, study, images, reader)
    events.publish(session, "study", study_id, status=study.status)
    return study


def reread_study(session: Session, study_id: int, user: str) -> Study:
    """Have all images of a study read anew, by the model that the clinic has now.

    Parameters
    ----------
    user
        Who asks, for the audit log.

    Raises
    ------
    NotFoundError
        If there is no such study.
    ConflictError
        If it is signed: what was signed rests on the reading that the physician saw.
    """
    study = lock_study(session, study_id)
    if study.status == "signed":
        raise ConflictError("a signed study is not read again", remedy="Upload the images as a new study.")
    images = session.scalars(select(StoredImage).where(StoredImage.study_id == study_id)).all()
    put_back(session, [image for image in images if image.status in ("read", "failed")])
    study.result = study.quantification = study.model = study.priority = None
    study.status, study.updated = "receiving", utc_now()
    audit.record(session, user, "reread", study_id=study_id, images=len(images))
    events.publish(session, "study", study_id, status=study.status)
    return study


def lock_study(session: Session, study_id: int) -> Study:
    """The study's row, kept from other writers until the transaction ends.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    study = session.scalar(
        select(Study).where(Study.id == study_id).with_for_update().execution_options(populate_existing=True)
    )
    if study is None:
        raise NotFoundError(f"there is no study {study_id}")
    return study


def _frames(session: Session, study_id: int) -> Sequence[FrameReading]:
    return session.scalars(
        select(FrameReading)
        .join(StoredImage, StoredImage.id == FrameReading.image_id)
        .where(StoredImage.study_id == study_id)
        .order_by(StoredImage.id, FrameReading.frame)
        .options(defer(FrameReading.maps))
    ).all()


def _pool(study: Study, kept: list[tuple[StoredImage, FrameReading]], reader: StudyReader) -> None:
    pooled = [PooledFrame.of(study, image, frame) for image, frame in kept]
    _, patients = reader.reader.pool(pooled)
    study.result = patients[0].to_dict() if patients else None
    probabilities = patients[0].probabilities if patients else {}
    study.priority = 1 - probabilities[NORMAL] if NORMAL in probabilities else None
    study.quantification = _quantify(study, kept, reader).to_dict() if kept else None
    study.model = reader.reader.model.to_dict() if kept else None
    if not study.device:
        study.device = next((frame.device for _, frame in kept if frame.device), "")


def _quantify(study: Study, kept: list[tuple[StoredImage, FrameReading]], reader: StudyReader) -> StudyQuantities:
    patient = study.patient_id or STUDY
    measures = [
        MeasuredImage(
            patient,
            image.muscle,
            image.side,
            frame.device,
            ImageQuantities.from_dict(frame.quantities),
            not frame.abstained,
            file=str(image.id),
        )
        for image, frame in kept
        if frame.quantities is not None
    ]
    return reader.quantifier.study(
        measures,
        reference=reader.reference,
        ages=None if study.patient_age is None else {patient: study.patient_age},
        sexes={patient: study.patient_sex} if study.patient_sex in ("F", "M") else None,
    )


def _status(before: str, images: Counter[str]) -> str:
    if before == "signed":
        return before
    if images["pending"] or images["reading"]:
        return "receiving"
    return "read" if images["read"] else "failed"


def _record(session: Session, study: Study, images: Sequence[StoredImage], reader: StudyReader) -> None:
    answer: Any = None if study.result is None else study.result["answer"]
    audit.record(
        session,
        "system",
        "read",
        study_id=study.id,
        model_sha256=reader.model_sha256,
        images=sum(image.status == "read" for image in images),
        failed=sum(image.status == "failed" for image in images),
        answer=answer,
    )
