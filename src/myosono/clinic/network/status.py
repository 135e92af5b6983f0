"""The state of the node as a table or JSON shows it."""

from __future__ import annotations

import shutil
import socket
from typing import Any

from sqlalchemy import func, select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import OutboxItem, StoredImage, Study
from myosono.clinic.settings import ClinicSettings


def node_status(settings: ClinicSettings, database: Database) -> dict[str, Any]:
    """What was received and read, what waits to be sent and why, and whether the node listens.

    Raises
    ------
    UnavailableError
        If the database does not answer.
    """
    pacs = settings.pacs
    with database.session(writes=False) as session:
        counts = session.execute(select(StoredImage.status, func.count()).group_by(StoredImage.status)).all()
        last = session.scalar(select(func.max(StoredImage.received)).join(Study).where(Study.source == "dicom"))
        unsent = session.scalars(select(OutboxItem).where(OutboxItem.status != "sent").order_by(OutboxItem.id))
        return {
            "ae_title": pacs.ae_title,
            "host": pacs.host,
            "port": pacs.port,
            "listening": _answers(settings),
            "studies": session.scalar(select(func.count()).select_from(Study)) or 0,
            "images": {status: count for status, count in sorted(counts)},  # noqa: C416  rows, not pairs
            "last_received": None if last is None else last.isoformat(timespec="seconds"),
            "free_bytes": shutil.disk_usage(settings.data).free,
            "sent": session.scalar(select(func.count()).where(OutboxItem.status == "sent")) or 0,
            "outbox": [outbox_row(item) for item in unsent],
        }


def outbox_row(item: OutboxItem) -> dict[str, Any]:
    """An outbox item as JSON."""
    return {
        "id": item.id,
        "study": item.study_id,
        "kind": item.kind,
        "peer": item.peer,
        "via": item.via,
        "reason": item.reason,
        "status": item.status,
        "attempts": item.attempts,
        "next_try": item.next_try.isoformat(timespec="seconds"),
        "error": item.error,
    }


def _answers(settings: ClinicSettings) -> bool:
    """Whether something listens on our port; asking for an association would need an AE title that is allowed."""
    pacs = settings.pacs
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(pacs.host, pacs.host)
    try:
        with socket.create_connection((host, pacs.port), timeout=2.0):
            return True
    except OSError:
        return False
