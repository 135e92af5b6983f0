"""Which results are sent without being asked for: studies that were read or signed × the rules of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from myosono.clinic.database.models import OutboxItem, PhysicianReading, StoredImage, Study, utc_now
from myosono.clinic.network.outbox import enqueue_once
from myosono.clinic.settings import ClinicSettings, SendRule
from myosono.hashing import sha256_bytes

HORIZON = timedelta(days=7)
"""Studies that were not touched for longer are left alone, or a new rule would send years of them."""
ABNORMAL = 0.5
"""Priority from which a study counts as abnormal for ``only_abnormal``."""
_UNREAD = ("pending", "reading")


class Rules:
    """Applies the rules of the settings again and again, at little cost where nothing changed.

    Parameters
    ----------
    settings
        ``pacs.rules`` and ``pacs.quiet_seconds``.
    """

    def __init__(self, settings: ClinicSettings) -> None:
        self.settings = settings
        self._seen: dict[int, tuple[datetime, str]] = {}

    def is_due(self, session: Session) -> bool:
        """Whether a study changed since `apply` looked; a look that needs no write lock."""
        if not self.settings.pacs.rules:
            return False
        touched = session.execute(_touched().with_only_columns(Study.id, Study.updated, Study.status))
        return any(self._seen.get(row.id) != (row.updated, row.status) for row in touched)

    def apply(self, session: Session) -> list[OutboxItem]:
        """Put into the outbox what the rules want and is not there yet.

        The same version of a result is sent once to the same peer, however often this runs and in however many
        processes: a version is the result itself with its images and its model, or a physician's signature.

        Parameters
        ----------
        session
            Opened for writing.
        """
        made: list[OutboxItem] = []
        for study in session.scalars(_touched()):
            state = (study.updated, study.status)
            if self._seen.get(study.id) == state:
                continue
            due, settled = self._due(session, study)
            for rule, reason in due:
                for kind in rule.objects:
                    item = enqueue_once(session, study.id, kind, rule.to, rule.via, reason)
                    made.extend([item] if item is not None else [])
            if settled:
                self._seen[study.id] = state
        return made

    def _due(self, session: Session, study: Study) -> tuple[list[tuple[SendRule, str]], bool]:
        """Rules that want this study, each with the version that it wants; and whether that will stay so."""
        images = session.scalars(select(StoredImage).where(StoredImage.study_id == study.id).order_by(StoredImage.id))
        stored = images.all()
        if any(one.status in _UNREAD for one in stored):
            return [], False
        quiet = timedelta(seconds=self.settings.pacs.quiet_seconds)
        if any(one.received > utc_now() - quiet for one in stored):
            return [], False
        wanted = [rule for rule in self.settings.pacs.rules if _concerns(rule, study)]
        if not any(one.sop_instance_uid for one in stored):
            wanted = []  # uploaded pictures: no DICOM study that an object could belong to
        signed = _signed_version(session, study)
        versions = {"read": _read_version(study, stored), "signed": signed}
        due = [(rule, version) for rule in wanted if (version := versions[rule.when]) is not None]
        return due, True


def _touched() -> Select[Study]:
    recent = Study.updated > utc_now() - HORIZON
    return select(Study).where(Study.status.in_(("read", "signed")), recent).order_by(Study.id)


def _concerns(rule: SendRule, study: Study) -> bool:
    return (
        (rule.calling_ae is None or study.sender == rule.calling_ae)
        and (rule.device is None or rule.device.casefold() in study.device.casefold())
        and (not rule.only_abnormal or (study.priority is not None and study.priority >= ABNORMAL))
    )


def _read_version(study: Study, images: Sequence[StoredImage]) -> str | None:
    if study.result is None:
        return None
    said = [study.result, (study.model or {}).get("sha256"), list(_facts(images))]
    return f"read {sha256_bytes(json.dumps(said, sort_keys=True).encode())[:16]}"


def _facts(images: Sequence[StoredImage]) -> Iterator[list[str | None]]:
    for one in images:
        yield [one.sha256, one.status, one.muscle, one.side]


def _signed_version(session: Session, study: Study) -> str | None:
    newest = session.scalar(
        select(func.max(PhysicianReading.id)).where(
            PhysicianReading.study_id == study.id, PhysicianReading.signed_at.is_not(None)
        )
    )
    return None if newest is None else f"signed {newest}"
