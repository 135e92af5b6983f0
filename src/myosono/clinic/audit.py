"""The append-only log: who did what, when, to which study, with which model. Each line hashes the one before."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from myosono.clinic.database.models import AuditEntry, utc_now
from myosono.errors import ClinicError
from myosono.hashing import sha256_bytes

GENESIS = "0" * 64
"""What the first line's ``previous`` is."""


def record(
    session: Session,
    user: str,
    action: str,
    *,
    study_id: int | None = None,
    model_sha256: str = "",
    **detail: Any,
) -> AuditEntry:
    """Add a line, in the transaction of what it records: both are kept, or neither.

    Parameters
    ----------
    user
        Name of the user; ``system``, or ``dicom:`` and the calling AE title.
    action
        ``login``, ``view``, ``upload``, ``receive``, ``read``, ``draft``, ``sign``, ``amend``, ``export``, ``send`` ...
    study_id, model_sha256
        What it concerns.
    detail
        Small JSON values; never a password or a token.
    """
    last = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1).with_for_update())
    entry = AuditEntry(
        at=utc_now(),
        user=user,
        action=action,
        study_id=study_id,
        detail=detail,
        model_sha256=model_sha256,
        previous=last or GENESIS,
    )
    entry.hash = entry_hash(entry)
    session.add(entry)
    session.flush()
    return entry


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 over all that a line says and the hash of the one before."""
    said = [
        entry.at.isoformat(),
        entry.user,
        entry.action,
        entry.study_id,
        entry.detail,
        entry.model_sha256,
        entry.previous,
    ]
    return sha256_bytes(json.dumps(said, sort_keys=True, ensure_ascii=True).encode())


def check_chain(session: Session) -> int:
    """Walk the whole log and return its length.

    Raises
    ------
    ClinicError
        Naming the first line that was changed, or before which one is missing.
    """
    previous, count = GENESIS, 0
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        if entry.previous != previous or entry.hash != entry_hash(entry):
            raise ClinicError(f"the audit log was changed at line {entry.id}", remedy="Compare it with a backup.")
        previous, count = entry.hash, count + 1
    return count
