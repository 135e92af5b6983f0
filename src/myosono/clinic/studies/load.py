"""`load_study`: from the tables to the `StudyView` that pages, reports and DICOM objects are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, selectinload

from myosono.clinic.audit import SITE_CORRECTED
from myosono.clinic.database.models import AuditEntry, FrameReading, PhysicianReading, StoredImage, Study
from myosono.clinic.studies.view import (
    FrameView,
    ImageView,
    OpinionView,
    ScaleRegion,
    SiteView,
    StudyView,
    held_opinions,
)
from myosono.clinic.work.pooling import PooledFrame
from myosono.errors import NotFoundError
from myosono.quantification import MYOSITIS_PROTOCOL
from myosono.reading import MuscleReading, pool_muscles

_Key = tuple[str | None, str | None]
_NOWHERE: _Key = (None, None)
_Grades = Mapping[str, tuple[tuple[str, int], ...]]


def load_study(session: Session, study_id: int) -> StudyView:
    """All that may be stated of a study, as it stands.

    Raises
    ------
    NotFoundError
        If there is no such study.
    """
    study = session.scalar(
        select(Study)
        .where(Study.id == study_id)
        .options(selectinload(Study.images).selectinload(StoredImage.frames).options(defer(FrameReading.maps)))
    )
    if study is None:
        raise NotFoundError(f"there is no study {study_id}")
    mapped = _with_maps(session, study_id)
    opinions = _opinions(session, study_id)
    result: Mapping[str, Any] = study.result or {}
    quantification: Mapping[str, Any] = study.quantification or {}
    model: Mapping[str, Any] = study.model or {}
    return StudyView(
        id=study.id,
        study_uid=study.study_uid,
        source=study.source,
        sender=study.sender,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        patient_sex=study.patient_sex,
        patient_birth_date=study.patient_birth_date,
        patient_age=study.patient_age,
        accession=study.accession,
        description=study.description,
        study_date=study.study_date,
        device=study.device,
        arrived=study.arrived,
        updated=study.updated,
        status=study.status,
        priority=study.priority,
        classes=_classes(study),
        probabilities=result.get("probabilities") or None,
        label=result.get("label"),
        answer=result.get("answer", ""),
        prediction_set=tuple(result.get("prediction_set", ())),
        abstained=bool(result.get("abstained", False)),
        reasons=tuple(result.get("reasons", ())),
        model=model,
        banners=tuple(model.get("warnings", ())),
        sites=_sites(study, quantification, _grades(opinions)),
        images=tuple(_image(image, mapped) for image in study.images),
        completeness=_completeness(quantification),
        quantification_notes=tuple(quantification.get("notes", ())),
        opinions=opinions,
        sites_corrected=_corrections(session, study_id),
    )


def _with_maps(session: Session, study_id: int) -> frozenset[int]:
    """Frames that have maps; the maps themselves stay in the database."""
    found = select(FrameReading.id).join(StoredImage, StoredImage.id == FrameReading.image_id)
    return frozenset(session.scalars(found.where(StoredImage.study_id == study_id, FrameReading.maps.is_not(None))))


def _corrections(session: Session, study_id: int) -> tuple[datetime, ...]:
    """As the log has them, which is written with each correction."""
    found = select(AuditEntry.at).where(AuditEntry.study_id == study_id, AuditEntry.action == SITE_CORRECTED)
    return tuple(session.scalars(found.order_by(AuditEntry.id)))


def _classes(study: Study) -> tuple[str, ...]:
    return next((tuple(frame.probabilities) for image in study.images for frame in image.frames), ())


def _completeness(quantification: Mapping[str, Any]) -> Mapping[str, Any] | None:
    protocols = quantification.get("protocols", ())
    return {key: value for key, value in protocols[0].items() if key != "patient_id"} if protocols else None


def _image(image: StoredImage, mapped: frozenset[int]) -> ImageView:
    return ImageView(
        id=image.id,
        name=image.name,
        file=image.file,
        sha256=image.sha256,
        status=image.status,
        error=image.error,
        muscle=image.muscle,
        side=image.side,
        sop_instance_uid=image.sop_instance_uid,
        sop_class_uid=image.sop_class_uid,
        series_uid=image.series_uid,
        received=image.received,
        frames=tuple(_frame(frame, frame.id in mapped) for frame in image.frames),
    )


def _frame(frame: FrameReading, has_maps: bool) -> FrameView:
    top, left, bottom, right = frame.area
    return FrameView(
        id=frame.id,
        frame=frame.frame,
        width=frame.width,
        height=frame.height,
        area=(top, left, bottom, right),
        regions=tuple(ScaleRegion(**region) for region in frame.regions),
        probabilities=frame.probabilities,
        label=frame.label,
        abstained=frame.abstained,
        reasons=tuple(frame.reasons),
        quantities=frame.quantities,
        shrinkage_fraction=frame.shrinkage_fraction,
        has_maps=has_maps,
    )


def _sites(study: Study, quantification: Mapping[str, Any], grades: _Grades) -> tuple[SiteView, ...]:
    frames = [
        replace(PooledFrame.of(study, image, frame), muscle=muscle, side=side)
        for image in study.images
        for muscle, side in [_key(image)]
        for frame in image.frames
    ]
    pooled = {(one.muscle, one.side): one for one in pool_muscles(frames)}
    measured: dict[_Key, Mapping[str, Any]] = {}
    for one in quantification.get("sites", ()):
        measured.setdefault((one["muscle"], one["side"]), one)
    images: dict[_Key, list[int]] = {}
    for image in study.images:
        images.setdefault(_key(image), []).append(image.id)
    keys = (*MYOSITIS_PROTOCOL, *([_NOWHERE] if _NOWHERE in images else []))
    return tuple(_site(key, images.get(key, ()), pooled.get(key), measured.get(key, {}), grades) for key in keys)


def _key(image: StoredImage) -> _Key:
    """The image's site of the protocol; with half a site known, or none, it belongs to none."""
    key = (image.muscle, image.side)
    return key if key in MYOSITIS_PROTOCOL else _NOWHERE


def _site(
    key: _Key,
    images: Sequence[int],
    pooled: MuscleReading | None,
    measured: Mapping[str, Any],
    grades: _Grades,
) -> SiteView:
    muscle, side = key
    code = f"{side}{muscle}" if muscle and side else ""
    return SiteView(
        code=code,
        muscle=muscle,
        side=side,
        images=tuple(images),
        probabilities=None if pooled is None else pooled.probabilities,
        label=None if pooled is None else pooled.label,
        echo_intensity=measured.get("echo_intensity"),
        z_score=measured.get("z_score"),
        muscle_thickness_mm=measured.get("muscle_thickness_mm"),
        subcutaneous_thickness_mm=measured.get("subcutaneous_thickness_mm"),
        heckmatt_grades=grades.get(code, ()),
        muscle_thickness_at_least=bool(measured.get("muscle_thickness_at_least")),
    )


def _opinions(session: Session, study_id: int) -> tuple[OpinionView, ...]:
    rows = session.scalars(
        select(PhysicianReading).where(PhysicianReading.study_id == study_id).order_by(PhysicianReading.id)
    )
    return tuple(
        OpinionView(
            id=row.id,
            user=row.user.name,
            full_name=row.user.full_name,
            agrees=row.agrees,
            diagnosis=row.diagnosis,
            heckmatt=row.heckmatt,
            notes=row.notes,
            model_answer=row.model_answer,
            model_sha256=row.model_sha256,
            created=row.created,
            signed_at=row.signed_at,
            amends_id=row.amends_id,
            amend_reason=row.amend_reason,
        )
        for row in rows
    )


def _grades(opinions: Sequence[OpinionView]) -> _Grades:
    """Of each signed reading that holds, oldest first; a draft must not reach a report."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for one in held_opinions(opinions):
        for site, grade in one.heckmatt.items():
            found[site] = (*found.get(site, ()), (one.full_name or one.user, grade))
    return found
