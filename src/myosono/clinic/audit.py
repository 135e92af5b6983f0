"""The append-only log: who did what, when, to which study, with which model. Each line hashes the one before."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from myosono.clinic.database.models import AuditEntry, utc_now
from myosono.errors import ClinicError
from myosono.hashing import sha256_bytes

GENESIS = "0" * 64
"""What the first line's ``previous`` is."""

SITE_CORRECTED = "site"
"""The action of a muscle or side that a person has set."""

_ADVISORY_LOCK = 0x61756474  # "audt"


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

    Only one transaction at a time can be between its line and its commit, so that two never follow the same line: on
    PostgreSQL by an advisory lock, on SQLite by the write lock. Record last, and commit soon.

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
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    last = head(session)
    entry = AuditEntry(
        at=utc_now(),
        user=user,
        action=action,
        study_id=study_id,
        detail=detail,
        model_sha256=model_sha256,
        previous=last,
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


def head(session: Session) -> str:
    """Hash of the newest line, `GENESIS` if there is none.

    Kept elsewhere (on paper, in another system), it proves later that no line up to it was changed or cut off.
    """
    return session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or GENESIS


def check_chain(session: Session, *, known: str | None = None) -> int:
    """Walk the whole log and return its length.

    Parameters
    ----------
    known
        A hash noted earlier, see `head`: the log must still contain it.

    Raises
    ------
    ClinicError
        Naming the first line that was changed, or before which one is missing; or if ``known`` is not in the log.
    """
    previous, count, met = GENESIS, 0, known in (None, GENESIS)
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=500)):
        if entry.previous != previous or entry.hash != entry_hash(entry):
            raise ClinicError(f"the audit log was changed at line {entry.id}", remedy="Compare it with a backup.")
        previous, count, met = entry.hash, count + 1, met or entry.hash == known
    if not met:
        raise ClinicError("the audit log no longer has the line that was noted", remedy="Compare it with a backup.")
    return count
