"""The audit log as CSV, line by line, so that a long one needs no memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import AuditEntry

COLUMNS = ("id", "at", "user", "action", "study_id", "detail", "model_sha256", "previous", "hash")
_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(database: Database, conditions: Sequence[ColumnElement[bool]]) -> Iterator[str]:
    """Rows of all columns, oldest first; a short transaction for each few hundred."""
    yield _row(COLUMNS)
    last = 0
    while True:
        wanted = select(AuditEntry).where(*conditions, AuditEntry.id > last).order_by(AuditEntry.id).limit(_AT_ONCE)
        with database.session(writes=False) as session:
            entries = list(session.scalars(wanted))
        if not entries:
            return
        last = entries[-1].id
        yield "".join(
            _row(
                (
                    entry.id,
                    entry.at.isoformat(),
                    entry.user,
                    entry.action,
                    entry.study_id,
                    json.dumps(entry.detail, ensure_ascii=False, sort_keys=True),
                    entry.model_sha256,
                    entry.previous,
                    entry.hash,
                )
            )
            for entry in entries
        )


def _row(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(["" if value is None else _inert(str(value)) for value in values])
    return line.getvalue()


def _inert(text: str) -> str:
    """A sheet must not take what a sender wrote for a formula (OWASP CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text
