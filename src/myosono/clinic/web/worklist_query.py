"""A `WorklistQuery` from address parameters, for page and JSON alike."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Query

from myosono.clinic.studies.worklist import MAX_PAGE_SIZE, Order, WorklistQuery
from myosono.errors import UsageError

DEFAULT_QUERY = WorklistQuery()
_ASCENDING = ("patient", "device", "source", "status", "answer")


def worklist_query(
    text: Annotated[str, Query(max_length=200, description="Words that must all occur.")] = "",
    status: Annotated[str, Query(max_length=20, description="receiving, read, failed or signed.")] = "",
    answer: Annotated[str, Query(max_length=100, description="A class, or undecided.")] = "",
    source: Annotated[str, Query(max_length=20, description="dicom, upload or demo.")] = "",
    since: Annotated[str, Query(max_length=10, description="First day of arrival, YYYY-MM-DD.")] = "",
    until: Annotated[str, Query(max_length=10, description="Last day of arrival, YYYY-MM-DD.")] = "",
    order: Order = "priority",
    descending: bool | None = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = DEFAULT_QUERY.page_size,
) -> WorklistQuery:
    """Empty parameters, as forms send them, are none.

    Raises
    ------
    UsageError
        If a filter names what there is not.
    """
    return WorklistQuery(
        text=" ".join(text.replace("\0", " ").split()),
        status=status,
        answer=answer.replace("\0", ""),
        source=source,
        since=_day(since),
        until=_day(until),
        order=order,
        descending=order not in _ASCENDING if descending is None else descending,
        page=page,
        page_size=page_size,
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"not a day: {text!r}", remedy="Write it as 2026-03-09.") from error
    if not 1900 <= day.year <= 2999:
        raise UsageError(f"a day out of range: {text!r}", remedy="Give one after 1900 and before 3000.")
    return day
