from datetime import UTC, date, datetime, timedelta

import pytest

from myosono.clinic.studies.opinions import Author, Opinion, amend, save_draft, sign
from myosono.clinic.studies.worklist import UNDECIDED, WorklistQuery, list_studies
from myosono.errors import UsageError

SICK = {"Normal": 0.1, "IBM": 0.7, "PM": 0.1, "DM": 0.1}
WELL = {"Normal": 0.9, "IBM": 0.04, "PM": 0.03, "DM": 0.03}
UNSURE = {"Normal": 0.2, "IBM": 0.4, "PM": 0.35, "DM": 0.05}


@pytest.fixture
def three(make_study):
    return (
        make_study("P1", WELL, answer="Normal", sites=("RD",), device="GE Logiq E", arrived=at(1), source="dicom"),
        make_study("P2", SICK, answer="IBM", sites=("RD", "RD", "LD", "LFCR"), failed=2, arrived=at(2)),
        make_study("P3", UNSURE, answer="IBM or PM", arrived=at(3), patient_name="Li Wei"),
    )


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 23, 30, tzinfo=UTC)


def patients(session, **query) -> list[str]:
    return [row.patient_id for row in list_studies(session, WorklistQuery(**query)).rows]


def test_the_likely_diseased_come_first_and_the_unread_last(session, three, make_study):
    make_study("P4", status="receiving", arrived=at(4))
    assert patients(session) == ["P2", "P3", "P1", "P4"]
    assert patients(session, descending=False) == ["P1", "P3", "P2", "P4"]
    assert patients(session, order="arrived") == ["P4", "P3", "P2", "P1"]
    assert patients(session, order="patient", descending=False) == ["P3", "P1", "P2", "P4"]  # by name, else by id


def test_a_row_counts_muscles_not_images(session, three):
    row = list_studies(session, WorklistQuery(text="P2")).rows[0]
    assert (row.sites, row.expected_sites) == (3, 14)
    assert (row.images, row.images_read, row.images_failed) == (6, 4, 2)
    assert (row.answer, row.label, row.abstained) == ("IBM", "IBM", False)
    assert row.priority == pytest.approx(0.9)


@pytest.mark.parametrize("typed", ["müller", "Müller", "MÜLLER", "jürgen müller"])
def test_a_search_takes_small_letters_for_capitals_in_every_script(session, make_study, typed):
    """Scanners write capitals; SQLite by itself knows only those of English."""
    make_study("P9", patient_name="MÜLLER^JÜRGEN")
    make_study("P8", patient_name="MULLER^ANNA")
    assert patients(session, text=typed) == ["P9"]


def test_filters(session, three, clock):
    clock("UTC0")
    assert patients(session, answer="IBM") == ["P2"]
    assert patients(session, answer=UNDECIDED) == ["P3"]
    assert patients(session, source="dicom") == ["P1"]
    assert patients(session, status="signed") == []
    assert patients(session, since=date(2026, 3, 2), until=date(2026, 3, 2)) == ["P2"]


@pytest.mark.parametrize(
    ("zone", "arrived", "day"),
    [
        ("CST-8", datetime(2026, 3, 8, 23, 30, tzinfo=UTC), date(2026, 3, 9)),  # 07:30 in China
        ("EST5", datetime(2026, 3, 9, 3, 0, tzinfo=UTC), date(2026, 3, 8)),  # 22:00 in New York
        ("CET-1CEST,M3.5.0,M10.5.0/3", datetime(2026, 3, 29, 22, 30, tzinfo=UTC), date(2026, 3, 30)),  # after 23 hours
        ("CET-1CEST,M3.5.0,M10.5.0/3", datetime(2026, 10, 25, 22, 30, tzinfo=UTC), date(2026, 10, 25)),  # of 25 hours
    ],
)
def test_days_are_those_of_the_clinics_clock(session, make_study, clock, zone, arrived, day):
    clock(zone)
    make_study("P1", WELL, answer="Normal", arrived=arrived)
    assert patients(session, since=day, until=day) == ["P1"]
    assert patients(session, until=day - timedelta(days=1)) == []
    assert patients(session, since=day + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("text", "found"), [("li WEI", ["P3"]), ("logiq p1", ["P1"]), ("logiq p2", []), ("%", []), ("_", [])]
)
def test_search_needs_every_word_and_knows_no_wildcards(session, three, text, found):
    assert patients(session, text=text) == found


def test_pages(session, make_study):
    for number in range(7):
        make_study(f"P{number}", WELL, answer="Normal", arrived=at(number + 1))
    page = list_studies(session, WorklistQuery(order="arrived", page=2, page_size=3))
    assert [row.patient_id for row in page.rows] == ["P3", "P2", "P1"]
    assert (page.total, page.pages) == (7, 3)
    beyond = list_studies(session, WorklistQuery(order="arrived", page=99, page_size=3))
    assert (beyond.page, [row.patient_id for row in beyond.rows]) == (3, ["P0"])


def test_what_the_filters_may_offer(session, three):
    page = list_studies(session, WorklistQuery(status="signed"))
    assert page.total == 0
    assert page.counts == {"read": 3}
    assert page.answers == ("IBM", "Normal")


def test_the_reader_is_the_signer_before_any_draft(session, three, make_user):
    study = three[1]
    one, two = (Author(user.id, user.name) for user in (make_user("ann"), make_user("bob")))
    save_draft(session, study.id, one, Opinion())
    assert reader(session) == ("Dr ann", "draft")
    signed = sign(session, study.id, one, Opinion(diagnosis="IBM"))
    save_draft(session, study.id, two, Opinion())
    assert reader(session) == ("Dr ann", "signed")
    amend(session, signed.id, one, Opinion(diagnosis="PM"), "biopsy")
    assert reader(session) == ("Dr ann", "amended")


def reader(session) -> tuple[str, str]:
    row = list_studies(session, WorklistQuery(text="P2")).rows[0]
    return row.reader, row.reader_state


@pytest.mark.parametrize("wrong", [{"status": "x"}, {"source": "x"}, {"order": "x"}, {"page": 0}, {"page_size": 10**6}])
def test_impossible_queries_are_refused(wrong):
    with pytest.raises(UsageError):
        WorklistQuery(**wrong)
