"""The page that watches drift by week, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from myosono.clinic.studies.drift import WEEKS, Drift, Share, Spread, measure_drift
from myosono.clinic.web.charts import SHARES, Axis, Box, Point, box_chart, counts_axis, point_chart, stack_chart
from myosono.clinic.web.i18n import translate
from myosono.clinic.web.pages import language_of, render

router = APIRouter()

Weeks = Annotated[int, Query(ge=4, le=104)]
_GREY = Axis(0, 250, tuple((float(level), str(level)) for level in (0, 50, 100, 150, 200, 250)))


@router.get("/drift", response_class=HTMLResponse, include_in_schema=False)
def drift_page(request: Request, weeks: Weeks = WEEKS) -> HTMLResponse:
    """Charts by week, each with its figures in a table."""
    found = _measured(request, weeks)
    return render(request, "drift.html", found=found, weeks=weeks, charts=_charts(found, language_of(request)))


@router.get("/api/v1/drift", tags=["quality"])
def drift(request: Request, weeks: Weeks = WEEKS) -> Drift:
    """Tallies by week of arrival, the running week included."""
    return _measured(request, weeks)


def _measured(request: Request, weeks: int) -> Drift:
    with request.app.state.database.session(writes=False) as session:
        return measure_drift(session, weeks=weeks)


def _charts(found: Drift, language: str) -> dict[str, Markup]:
    def t(text: str) -> str:
        return translate(language, text)

    weeks = found.weeks
    labels = [f"{week.start:%m-%d}" for week in weeks]
    devices = [[week.devices.get(name, 0) for name in found.devices] for week in weeks]
    most = max((week.studies for week in weeks), default=0)
    return {
        "studies": stack_chart(t("Studies by device"), labels, devices, counts_axis(max(most, 4))),
        "scores": box_chart(t("Chance of disease"), labels, _boxes([week.scores for week in weeks]), SHARES),
        "abstained": _shares(t("Studies without a single diagnosis"), labels, [week.abstained for week in weeks]),
        "refused": _shares(t("Frames that were given no class"), labels, [week.refused for week in weeks]),
        "failed": _shares(t("Images that could not be read"), labels, [week.failed for week in weeks]),
        "echo": box_chart(t("Echo intensity"), labels, _boxes([week.echo_intensity for week in weeks]), _GREY),
    }


def _boxes(spreads: Sequence[Spread | None]) -> list[Box | None]:
    return [None if one is None else Box(one.minimum, one.lower, one.median, one.upper, one.maximum) for one in spreads]


def _shares(title: str, labels: Sequence[str], shares: Sequence[Share]) -> Markup:
    points: list[Any] = [
        None if share.value is None or share.interval is None else Point(share.value, *share.interval)
        for share in shares
    ]
    return point_chart(title, labels, points, SHARES)
