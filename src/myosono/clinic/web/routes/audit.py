"""The audit log, for administrators: filtered, paged, as CSV, and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import ColumnElement, func, select

from myosono.clinic import audit
from myosono.clinic.database.models import AuditEntry
from myosono.clinic.studies.days import end_of, first_moment
from myosono.clinic.web.audit_csv import csv_lines
from myosono.clinic.web.pages import render
from myosono.clinic.web.security import CurrentUser, require_admin
from myosono.errors import ClinicError

router = APIRouter(include_in_schema=False, prefix="/admin/audit")
Admin = Annotated[CurrentUser, Depends(require_admin)]
PAGE = 50


@dataclass(frozen=True)
class Filter:
    """What of the log is asked for; empty fields ask for all."""

    user: str = ""
    action: str = ""
    study: str = ""
    since: str = ""
    until: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query.

        Raises
        ------
        ClinicError
            If a date or the number of a study is not one.
        """
        found: list[ColumnElement[bool]] = []
        if self.user:
            found.append(AuditEntry.user == self.user)
        if self.action:
            found.append(AuditEntry.action == self.action)
        if self.study:
            if not self.study.isdecimal() or len(self.study) > 9:
                raise ClinicError("a study is asked for by its number")
            found.append(AuditEntry.study_id == int(self.study))
        if self.since:
            found.append(AuditEntry.at >= _moment(self.since, first_moment))
        if self.until:
            found.append(AuditEntry.at < _moment(self.until, end_of))
        return found


def asked(user: str = "", action: str = "", study: str = "", since: str = "", until: str = "") -> Filter:
    """The filter of a request."""
    return Filter(user.strip(), action.strip(), study.strip(), since.strip(), until.strip())


Asked = Annotated[Filter, Depends(asked)]


@router.get("")
def log(request: Request, user: Admin, asked: Asked, page: Annotated[int, Query(ge=1, le=10**6)] = 1) -> Response:
    """Newest lines first."""
    where = asked.conditions()
    with request.app.state.database.session(writes=False) as session:
        count = session.scalar(select(func.count()).select_from(AuditEntry).where(*where)) or 0
        wanted = select(AuditEntry).where(*where).order_by(AuditEntry.id.desc())
        entries = list(session.scalars(wanted.offset((page - 1) * PAGE).limit(PAGE)))
        actions = list(session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)))
    query = {key: value for key, value in vars(asked).items() if value}
    return render(
        request,
        "audit.html",
        entries=entries,
        actions=actions,
        filter=asked,
        query=query,
        count=count,
        page=page,
        pages=max(1, -(-count // PAGE)),
    )


@router.get(".csv")
def as_csv(request: Request, user: Admin, asked: Asked) -> Response:
    """The filtered lines, oldest first, as CSV."""
    conditions = asked.conditions()
    headers = {"content-disposition": 'attachment; filename="audit-log.csv"'}
    return StreamingResponse(csv_lines(request.app.state.database, conditions), media_type="text/csv", headers=headers)


@router.post("/check")
def check(request: Request, user: Admin) -> Response:
    """Walk the chain and say whether it is whole."""
    try:
        with request.app.state.database.session(writes=False) as session:
            count, head, error = audit.check_chain(session), audit.head(session), None
    except ClinicError as found:
        count, head, error = 0, "", found
    return render(request, "audit_check.html", count=count, head=head, error=error)


def _moment(day: str, which: Callable[[date], datetime]) -> datetime:
    try:
        return which(date.fromisoformat(day))
    except (ValueError, OverflowError) as error:
        raise ClinicError(f"not a date: {day!r}", remedy="Write it as 2026-03-09.") from error
