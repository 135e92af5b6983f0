import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from myosono.clinic.audit import check_chain
from myosono.clinic.database.models import AuditEntry, Event, PhysicianReading, StoredImage
from myosono.clinic.reports.content import report_status
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.opinions import (
    Author,
    Opinion,
    amend,
    discard_draft,
    draft_version,
    find_draft,
    save_draft,
    sign,
)
from myosono.errors import ConflictError, ForbiddenError, NotFoundError, UsageError

SICK = {"Normal": 0.1, "IBM": 0.7, "PM": 0.1, "DM": 0.1}


@pytest.fixture
def study(make_study):
    return make_study("P1", SICK, answer="IBM", sites=("RD",))


@pytest.fixture
def ann(make_user) -> Author:
    user = make_user("ann")
    return Author(user.id, user.name)


@pytest.fixture
def bob(make_user) -> Author:
    user = make_user("bob")
    return Author(user.id, user.name)


def actions(session) -> list[str]:
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_a_draft_changes_in_place_and_is_logged_once(session, study, ann):
    first = save_draft(session, study.id, ann, Opinion(notes="a"))
    second = save_draft(session, study.id, ann, Opinion(notes="ab", heckmatt={"RD": 3}))
    assert first.id == second.id
    assert (second.notes, second.heckmatt, second.signed_at) == ("ab", {"RD": 3}, None)
    assert actions(session) == ["draft"]


def test_a_window_with_an_older_draft_does_not_replace_a_newer_one(session, study, ann):
    kept = save_draft(session, study.id, ann, Opinion(notes="long"), made_from="")
    newer = draft_version(save_draft(session, study.id, ann, Opinion(notes="longer"), made_from=draft_version(kept)))
    for old in ("", "2001-01-01T00:00:00+00:00"):
        with pytest.raises(ConflictError, match="another window"):
            save_draft(session, study.id, ann, Opinion(diagnosis="PM"), made_from=old)
        with pytest.raises(ConflictError, match="another window"):
            sign(session, study.id, ann, Opinion(diagnosis="PM"), made_from=old)
    assert find_draft(session, study.id, ann).notes == "longer"
    assert sign(session, study.id, ann, Opinion(diagnosis="PM"), made_from=newer).signed_at


def test_a_muscle_without_an_image_is_not_graded_in_a_signature(session, study, ann):
    save_draft(session, study.id, ann, Opinion(heckmatt={"LD": 4}))  # the image may be set right yet
    with pytest.raises(UsageError, match="Heckmatt grade without an image: LD"):
        sign(session, study.id, ann, Opinion(diagnosis="IBM", heckmatt={"RD": 2, "LD": 4}))
    assert find_draft(session, study.id, ann).signed_at is None


def test_signing_seals_the_draft_the_study_and_the_log(session, study, ann):
    draft = save_draft(session, study.id, ann, Opinion(notes="a"))
    signed = sign(session, study.id, ann, Opinion(diagnosis="IBM", agrees=True), seen_answer="IBM")
    assert signed.id == draft.id
    assert signed.signed_at is not None
    assert (signed.model_answer, signed.model_sha256) == ("IBM", "a" * 64)
    assert study.status == "signed"
    assert actions(session) == ["draft", "sign"]
    assert session.scalars(select(Event.kind)).all() == ["signed"]
    assert check_chain(session) == 2


def test_what_is_signed_is_never_changed(session, study, ann):
    signed = sign(session, study.id, ann, Opinion(diagnosis="IBM"))
    with pytest.raises(ConflictError, match="signed study"):
        save_draft(session, study.id, ann, Opinion(diagnosis="PM"))
    with pytest.raises(ConflictError, match="signed study"):
        sign(session, study.id, ann, Opinion(diagnosis="PM"))
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text("UPDATE physician_readings SET diagnosis = 'PM' WHERE id = :id"), {"id": signed.id})
    session.refresh(signed)
    assert signed.diagnosis == "IBM"


def test_an_amendment_is_a_new_version_and_only_the_newest_is_amended(session, study, ann):
    signed = sign(session, study.id, ann, Opinion(diagnosis="IBM"))
    new = amend(session, signed.id, ann, Opinion(diagnosis="PM", agrees=False), " biopsy ")
    assert (new.amends_id, new.amend_reason, new.diagnosis) == (signed.id, "biopsy", "PM")
    assert session.get(PhysicianReading, signed.id).diagnosis == "IBM"
    with pytest.raises(ConflictError, match="amended already"):
        amend(session, signed.id, ann, Opinion(diagnosis="DM"), "again")
    newest = amend(session, new.id, ann, Opinion(diagnosis="DM"), "again")
    assert newest.amends_id == new.id
    assert actions(session)[-2:] == ["amend", "amend"]


def test_only_its_author_amends_and_never_without_a_reason(session, study, ann, bob):
    signed = sign(session, study.id, ann, Opinion(diagnosis="IBM"))
    with pytest.raises(ForbiddenError):
        amend(session, signed.id, bob, Opinion(diagnosis="PM"), "x")
    with pytest.raises(UsageError, match="reason"):
        amend(session, signed.id, ann, Opinion(diagnosis="PM"), "  ")
    draft = save_draft(session, study.id, bob, Opinion())
    with pytest.raises(ConflictError, match="not signed"):
        amend(session, draft.id, bob, Opinion(diagnosis="PM"), "x")


def test_agreement_must_be_true(session, study, make_study, ann):
    with pytest.raises(ConflictError, match="answered IBM"):
        save_draft(session, study.id, ann, Opinion(diagnosis="PM", agrees=True))
    with pytest.raises(ConflictError, match="too"):
        save_draft(session, study.id, ann, Opinion(diagnosis="IBM", agrees=False))
    unsure = make_study("P2", SICK, answer="IBM or PM")
    with pytest.raises(ConflictError, match="no single diagnosis"):
        sign(session, unsure.id, ann, Opinion(diagnosis="IBM", agrees=True))
    assert find_draft(session, unsure.id, ann) is None or find_draft(session, unsure.id, ann).agrees is None


def test_no_signature_under_an_answer_that_has_changed_or_is_not_yet_there(session, study, make_study, ann):
    with pytest.raises(ConflictError, match="changed from PM to IBM"):
        sign(session, study.id, ann, Opinion(diagnosis="IBM"), seen_answer="PM")
    waiting = make_study("P2", status="receiving")
    with pytest.raises(ConflictError, match="still being read"):
        sign(session, waiting.id, ann, Opinion(diagnosis="IBM"))
    with pytest.raises(UsageError, match="diagnosis"):
        sign(session, study.id, ann, Opinion())


def test_late_images_keep_a_second_physician_from_signing_until_they_are_read(session, study, ann, bob):
    signed = sign(session, study.id, ann, Opinion(diagnosis="IBM"))
    late = study.images[0]
    late.status = "pending"
    session.flush()
    assert study.status == "signed"
    with pytest.raises(ConflictError, match="still being read"):
        sign(session, study.id, bob, Opinion(diagnosis="IBM"))
    with pytest.raises(ConflictError, match="still being read"):
        amend(session, signed.id, ann, Opinion(diagnosis="PM"), "late images")
    late.status = "failed"
    session.flush()
    assert sign(session, study.id, bob, Opinion(diagnosis="IBM")).signed_at is not None


def test_a_draft_can_be_discarded_by_its_author(session, study, ann, bob):
    save_draft(session, study.id, ann, Opinion(notes="a"))
    with pytest.raises(NotFoundError):
        discard_draft(session, study.id, bob)
    discard_draft(session, study.id, ann)
    assert find_draft(session, study.id, ann) is None
    assert actions(session) == ["draft", "discard"]


@pytest.mark.parametrize(
    "wrong",
    [{"heckmatt": {"RD": 5}}, {"heckmatt": {"RD": True}}, {"heckmatt": {"XX": 1}}, {"notes": "x" * 20_001},
     {"diagnosis": "x" * 101}],
)  # fmt: skip
def test_impossible_opinions_are_refused(wrong):
    with pytest.raises(UsageError):
        Opinion(**wrong)


def test_unknown_studies_are_named(session, ann):
    with pytest.raises(NotFoundError, match="no study 99"):
        save_draft(session, 99, ann, Opinion())


def test_a_diagnosis_is_one_of_those_offered(session, study, ann):
    with pytest.raises(UsageError, match="no such diagnosis"):
        sign(session, study.id, ann, Opinion(diagnosis="Gout"))
    assert sign(session, study.id, ann, Opinion(diagnosis="Other")).diagnosis == "Other"


def test_no_signature_over_images_or_sites_that_the_page_did_not_show(session, study, ann):
    """The answer alone had been compared, and "abstains" stays "abstains" whatever comes."""
    seen = load_study(session, study.id).seen
    image = session.scalars(select(StoredImage).where(StoredImage.study_id == study.id)).first()
    image.side = "L"
    session.flush()
    with pytest.raises(ConflictError, match="images or sites of this study changed"):
        sign(session, study.id, ann, Opinion(diagnosis="IBM"), seen_answer="IBM", seen=seen)
    now = load_study(session, study.id).seen
    assert sign(session, study.id, ann, Opinion(diagnosis="IBM"), seen_answer="IBM", seen=now).signed_at is not None


def test_grades_of_all_physicians_who_signed_are_kept_and_amended_stays_amended(session, study, ann, bob):
    first = sign(session, study.id, ann, Opinion(diagnosis="PM", heckmatt={"RD": 4}))
    amend(session, first.id, ann, Opinion(diagnosis="IBM", heckmatt={"RD": 4}), "biopsy")
    sign(session, study.id, bob, Opinion(diagnosis="IBM"))
    view = load_study(session, study.id)
    assert [site.heckmatt for site in view.sites if site.code == "RD"] == [4]
    assert report_status(view) == "amended"
