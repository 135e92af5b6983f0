from datetime import UTC, date, datetime, timedelta

import pytest

from myosono.clinic.studies import drift as drift_module
from myosono.clinic.studies.drift import NO_DEVICE, OTHER_DEVICES, Share, measure_drift, monday

TODAY = date(2026, 3, 18)  # a Wednesday


@pytest.fixture(autouse=True)
def _utc(clock):
    clock("UTC0")


def probabilities(disease: float) -> dict[str, float]:
    return {"Normal": 1 - disease, "IBM": disease, "PM": 0.0, "DM": 0.0}


def at(weeks_back: int, day: int = 0) -> datetime:
    start = monday(TODAY) - timedelta(weeks=weeks_back)
    return datetime(start.year, start.month, start.day, 0, 0, tzinfo=UTC) + timedelta(days=day)


def test_a_week_runs_from_monday_to_sunday(session, make_study):
    make_study("P1", probabilities(0.2), answer="Normal", arrived=at(1))
    make_study("P2", probabilities(0.4), answer="Normal", arrived=at(0) - timedelta(seconds=1))
    make_study("P3", probabilities(0.6), answer="IBM", arrived=at(0, 6))
    make_study("P4", probabilities(0.6), answer="IBM", arrived=at(0, 7))  # next week: not yet
    drift = measure_drift(session, weeks=3, today=TODAY)
    assert [week.studies for week in drift.weeks] == [0, 2, 1]
    assert [week.start.isoformat() for week in drift.weeks] == ["2026-03-02", "2026-03-09", "2026-03-16"]
    assert drift.weeks[1].scores.median == pytest.approx(0.3)
    assert drift.weeks[0].scores is None


@pytest.mark.parametrize(("zone", "weeks"), [("UTC0", [1, 1]), ("CST-8", [0, 2]), ("EST5", [2, 0])])
def test_a_week_begins_on_the_clinics_own_clock(session, make_study, clock, zone, weeks):
    clock(zone)
    make_study("P1", arrived=at(0) - timedelta(hours=2))  # Monday, six in the morning, in Beijing
    make_study("P2", arrived=at(0) + timedelta(hours=2))  # Sunday evening in New York
    drift = measure_drift(session, weeks=2, today=TODAY)
    assert [week.studies for week in drift.weeks] == weeks


def test_this_week_is_that_of_the_clinics_own_clock(session, clock, monkeypatch):
    clock("CST-8")
    monkeypatch.setattr(drift_module, "utc_now", lambda: at(0) - timedelta(hours=2))
    assert measure_drift(session, weeks=1).weeks[0].start == monday(TODAY)


def test_abstentions_failures_and_echo_intensity(session, make_study):
    make_study("P1", probabilities(0.6), answer="IBM", sites=("RD", "LD"), echo=80.0, failed=1, arrived=at(0))
    make_study("P2", probabilities(0.5), answer="IBM or PM", sites=("RD",), echo=100.0, arrived=at(0))
    make_study("P3", status="receiving", arrived=at(0))
    week = measure_drift(session, weeks=1, today=TODAY).weeks[0]
    assert (week.studies, week.abstained.count, week.abstained.total) == (3, 1, 2)
    assert (week.failed.count, week.failed.total) == (1, 4)
    assert week.refused.total == 3
    assert week.echo_intensity.count == 3
    assert (week.echo_intensity.median, week.echo_intensity.maximum) == (80.0, 100.0)


def test_rare_devices_are_put_together(session, make_study):
    for number in range(8):
        for _ in range(2 if number < 5 else 1):
            make_study(f"P{number}", device=f"D{number}" if number else "", arrived=at(number % 2))
    drift = measure_drift(session, weeks=2, today=TODAY)
    assert drift.devices == ("D1", "D2", "D3", "D4", NO_DEVICE, OTHER_DEVICES)
    assert sum(sum(week.devices.values()) for week in drift.weeks) == 13
    assert sum(week.devices.get(OTHER_DEVICES, 0) for week in drift.weeks) == 3


def test_models_that_read_are_named(session, make_study):
    make_study("P1", probabilities(0.6), answer="IBM", sites=("RD",), arrived=at(0))
    assert measure_drift(session, today=TODAY).models == ("a" * 64,)


def test_a_share_of_nothing_has_no_interval():
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    low, high = Share(0, 5).interval
    assert low == pytest.approx(0)
    assert high == pytest.approx(0.4345, abs=1e-3)
