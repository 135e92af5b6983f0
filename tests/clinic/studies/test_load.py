"""The study view from the tables: sites, scales, opinions."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from myosono.clinic.database.models import PhysicianReading, StoredImage, User, utc_now
from myosono.clinic.demo.dicom import Examination, make_ultrasound
from myosono.clinic.demo.picture import draw_screen
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import ScaleRegion
from myosono.clinic.work.pooling import pool_study
from myosono.errors import NotFoundError
from myosono.quantification import MYOSITIS_PROTOCOL


def view_of(database, study_id: int):  # type: ignore[no-untyped-def]
    with database.session(writes=False) as session:
        return load_study(session, study_id)


def test_an_unknown_study_is_not_found(database) -> None:
    with pytest.raises(NotFoundError, match="no study 7"):
        view_of(database, 7)


def test_before_reading_there_are_sites_and_no_result(database, take, make_muscle) -> None:
    view = view_of(database, take(make_muscle(1), "P001_LB_1.png").study.id)
    assert [(site.muscle, site.side) for site in view.sites] == list(MYOSITIS_PROTOCOL)
    assert next(site for site in view.sites if site.code == "LB").images == (view.images[0].id,)
    assert (view.status, view.probabilities, view.answer, view.model, view.classes) == ("receiving", None, "", {}, ())
    assert (view.completeness, view.banners, view.priority) == (None, (), None)


def test_a_site_nobody_knows_comes_last(database, take, worker, make_muscle) -> None:
    take(make_muscle(1), "holiday.png")
    study = take(make_muscle(2), "P001_LB_1.png").study
    while worker.run_once():
        pass
    view = view_of(database, study.id)
    assert len(view.sites) == 15
    assert (view.sites[-1].code, view.sites[-1].muscle, len(view.sites[-1].images)) == ("", None, 1)
    assert view.sites[-1].probabilities is not None
    assert view.completeness["unplaced"] == 1


def test_a_corrected_site_moves_the_image(database, take, worker, study_reader, make_muscle) -> None:
    image, study, _ = take(make_muscle(1), "holiday.png")
    worker.run_once()
    before = view_of(database, study.id)
    with database.session() as session:
        stored = session.get(StoredImage, image.id)
        stored.muscle, stored.side = "G", "R"
        pool_study(session, study.id, study_reader)
    after = view_of(database, study.id)
    assert next(site for site in after.sites if site.code == "RG").probabilities == before.sites[-1].probabilities
    assert (len(before.sites), len(after.sites)) == (15, 14)
    assert after.completeness["found"] == 1
    assert after.probabilities == before.probabilities


def test_each_region_of_a_screen_has_its_scale(database, take, worker, make_muscle) -> None:
    b_mode = np.asarray(Image.open(io.BytesIO(make_muscle(1))))
    screen = draw_screen(b_mode, 0.1, ("", ""), inset=True)
    examination = Examination("P001", "Roe^Jane", "F", 60, "cart", utc_now().date())
    study = take(make_ultrasound([screen], examination, "RD", 1), "", source="dicom", sender="CART").study
    worker.run_once()
    (frame,) = view_of(database, study.id).images[0].frames
    first, second = screen.regions
    assert [(region.left, region.top, region.right, region.bottom) for region in frame.regions] == [
        (area.left, area.top, area.right, area.bottom) for area, _ in (first, second)
    ]
    assert frame.regions[0].mm_per_pixel_x == pytest.approx(0.1)
    assert frame.regions[1].mm_per_pixel_y == pytest.approx(0.05)
    assert {region.kind for region in frame.regions} == {"b-mode"}
    assert (frame.height, frame.width) == screen.pixels.shape
    assert frame.quantities["muscle_thickness"]["mm"] > 0


def test_a_plain_picture_has_no_scale(database, take, worker, make_muscle) -> None:
    study = take(make_muscle(1)).study
    worker.run_once()
    (frame,) = view_of(database, study.id).images[0].frames
    assert frame.regions == ()
    assert ScaleRegion(0, 0, 1, 1, None, None, "other").mm_per_pixel_x is None


def test_the_latest_reading_grades_the_sites(database, take, make_muscle) -> None:
    study = take(make_muscle(1)).study
    with database.session() as session:
        user = User(name="ada", full_name="Ada L", password_hash="!", role="reader")
        session.add(user)
        session.flush()
        first = PhysicianReading(study_id=study.id, user_id=user.id, diagnosis="DM", heckmatt={"RD": 2})
        first.signed_at = utc_now()
        session.add(first)
        session.flush()
        later = PhysicianReading(study_id=study.id, user_id=user.id, diagnosis="IBM", heckmatt={"RD": 3})
        later.amends_id, later.signed_at, later.amend_reason = first.id, utc_now(), "slip"
        session.add(later)
    view = view_of(database, study.id)
    assert [opinion.diagnosis for opinion in view.opinions] == ["DM", "IBM"]
    assert view.signed is view.opinions[1]
    assert view.signed.full_name == "Ada L"
    assert next(site for site in view.sites if site.code == "RD").heckmatt == 3


def test_physicians_who_grade_differently_both_stand(database, take, make_muscle) -> None:
    """The newest grade had stood alone, as if nobody had said otherwise."""
    study = take(make_muscle(1)).study
    with database.session() as session:
        for name, grade in (("ann", 4), ("bert", 1)):
            user = User(name=name, full_name=name.title(), password_hash="!", role="reader")
            session.add(user)
            session.flush()
            given = {"RD": grade, "LD": 2}
            reading = PhysicianReading(study_id=study.id, user_id=user.id, diagnosis="PM", heckmatt=given)
            reading.signed_at = utc_now()
            session.add(reading)
    sites = {site.code: site for site in view_of(database, study.id).sites}
    assert sites["RD"].heckmatt_grades == (("Ann", 4), ("Bert", 1))
    assert sites["RD"].heckmatt is None
    assert sites["LD"].heckmatt == 2


def test_a_draft_of_somebody_grades_no_site(database, take, make_muscle) -> None:
    study = take(make_muscle(1), "P001_RD_1.png").study
    with database.session() as session:
        user = User(name="ann", password_hash="-", role="reader")
        session.add(user)
        session.flush()
        signed = PhysicianReading(study_id=study.id, user_id=user.id, heckmatt={"RD": 2}, signed_at=utc_now())
        draft = PhysicianReading(study_id=study.id, user_id=user.id, heckmatt={"RD": 4})
        session.add_all([signed, draft])
    assert next(site for site in view_of(database, study.id).sites if site.code == "RD").heckmatt == 2


def test_a_view_needs_few_questions(database, take, worker, make_muscle) -> None:
    """However many images there are: a page that asked for each would be slow on a large study."""
    from sqlalchemy import event

    study = take(make_muscle(1), "P001_RD_1.png").study
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    view_of(database, study.id)
    few = len(asked)
    for seed in range(2, 8):
        take(make_muscle(seed), f"P001_RD_{seed}.png")
    while worker.run_once():
        pass
    asked.clear()
    view_of(database, study.id)
    assert len(asked) <= few + 1
    with database.session(writes=False) as session:
        assert len(session.scalars(select(StoredImage)).all()) == 7
