"""Days as a person at the clinic means them: from midnight to midnight of the clinic's own clock.

Moments are kept in UTC. The computer's zone is the clinic's; its rules are asked for each day on its own, since a day
of the change to or from summer time has 23 or 25 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta


def first_moment(day: date) -> datetime:
    """Midnight with which a day begins, in UTC.

    Raises
    ------
    ValueError, OverflowError
        If the calendar of `datetime` does not hold it: a day of year 1 or 9999.
    """
    try:
        return datetime.combine(day, time()).astimezone(UTC)
    except OSError:  # Windows has no local time before 1970, when nothing arrived
        return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """Midnight with which the next day begins: the first moment that is not of this day any more.

    Raises
    ------
    ValueError, OverflowError
        As `first_moment`.
    """
    return first_moment(day + timedelta(days=1))


def day_of(moment: datetime) -> date:
    """The day that a moment belongs to."""
    return moment.astimezone().date()
