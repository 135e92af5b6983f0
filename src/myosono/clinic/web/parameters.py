"""Parameters that many addresses share, with the bounds that a database can hold."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from myosono.clinic.reports.language import Language
from myosono.clinic.studies.opinions import Author
from myosono.clinic.web.security import CurrentUser, current_user

LARGEST_ID = 2**31 - 1
"""What an INTEGER of PostgreSQL holds: a larger number is an error of the caller, not of the database."""

Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
FrameNumber = Annotated[int, Path(ge=0, le=LARGEST_ID)]
User = Annotated[CurrentUser, Depends(current_user)]


def author_of(user: CurrentUser) -> Author:
    """The user as the author of a reading."""
    return Author(user.id, user.name)


def report_language(code: str) -> Language:
    """A page's language as the reports name it."""
    return "zh-CN" if code == "zh-CN" else "en"
