import pytest

from myosono.clinic.studies.agreement import NO_SINGLE, measure_agreement
from myosono.clinic.studies.opinions import NOT_ASSESSABLE, Author, Opinion, amend, save_draft, sign

SICK = {"Normal": 0.1, "IBM": 0.7, "PM": 0.1, "DM": 0.1}


@pytest.fixture
def read(session, make_study, make_user):
    """``read("P1", "IBM", "PM")``: the model's answer and a physician's diagnosis, signed."""
    users = {}

    def one(patient, answer, diagnosis, *, by="ann", study=None, **heckmatt):
        if by not in users:
            user = make_user(by)
            users[by] = Author(user.id, user.name)
        study = study or make_study(patient, SICK, answer=answer, sites=("RD", "LD", "RG", "LT"))
        return study, sign(session, study.id, users[by], Opinion(diagnosis=diagnosis, heckmatt=heckmatt)), users[by]

    return one


def test_confusion_counts_abstentions_in_a_row_of_their_own(session, read):
    for patient, answer, diagnosis in [
        ("P1", "IBM", "IBM"), ("P2", "IBM", "PM"), ("P3", "Normal", "Normal"), ("P4", "IBM or PM", "PM"),
        ("P5", "abstains", "DM"), ("P6", "Normal", NOT_ASSESSABLE), ("P7", "IBM or PM", "DM"),
    ]:  # fmt: skip
        read(patient, answer, diagnosis)
    found = measure_agreement(session)
    assert found.confusion.rows == ("Normal", "IBM", "PM", "DM", NO_SINGLE)
    assert found.confusion.columns == ("Normal", "IBM", "PM", "DM", NOT_ASSESSABLE)
    assert found.confusion.counts == ((1, 0, 0, 0, 1), (0, 1, 1, 0, 0), (0,) * 5, (0,) * 5, (0, 0, 1, 2, 0))
    assert (found.agreed, found.decided, found.abstained) == (2, 4, 3)
    assert (found.set_held, found.sets) == (1, 2)
    assert found.kappa.compared == 4


def test_only_the_newest_version_counts(session, read):
    _, signed, author = read("P1", "IBM", "PM")
    amend(session, signed.id, author, Opinion(diagnosis="IBM"), "biopsy")
    found = measure_agreement(session)
    assert (found.readings, found.agreed) == (1, 1)


def test_drafts_do_not_count(session, make_study, make_user):
    user = make_user("ann")
    save_draft(session, make_study("P1", SICK, answer="IBM").id, Author(user.id, user.name), Opinion(diagnosis="IBM"))
    assert measure_agreement(session).readings == 0


def test_heckmatt_pairs_two_readers_of_one_site(session, read):
    study, _, _ = read("P1", "IBM", "IBM", RD=1, LD=2, RG=4)
    read("P1", "IBM", "IBM", by="bob", study=study, RD=1, LD=4, LT=2)
    found = measure_agreement(session)
    assert found.heckmatt.compared == 2
    assert found.heckmatt_exact == 0.5
    assert (found.readings, found.studies) == (2, 1)


def test_studies_of_one_patient_are_one_cluster_and_demo_can_be_left_out(session, read, make_study):
    read("P1", "IBM", "IBM")
    read("P1", "IBM", "PM")
    read("", "", "IBM", study=make_study("P9", SICK, answer="IBM", source="demo"))
    assert measure_agreement(session).kappa.clusters == 2
    assert measure_agreement(session, demo=False).kappa.clusters == 1


def test_nothing_signed(session):
    found = measure_agreement(session)
    assert (found.readings, found.kappa.value, found.heckmatt_exact) == (0, None, None)
