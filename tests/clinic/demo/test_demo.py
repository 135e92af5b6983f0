"""The demonstration: complete, made once, honest about what it is."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from myosono.clinic import audit
from myosono.clinic.database.models import StoredImage, Study
from myosono.clinic.demo import demo_settings, make_demo
from myosono.clinic.demo.make import FOLDER, PLANS
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.view import StudyView
from myosono.clinic.work.worker import Worker


@pytest.fixture
def views(settings, database) -> dict[str, StudyView]:
    settings = demo_settings(settings)
    make_demo(settings, database)
    worker = Worker(settings, database=database)
    while worker.run_once():
        pass
    with database.session(writes=False) as session:
        return {one.patient_id: one for one in (load_study(session, i) for i in session.scalars(select(Study.id)))}


@pytest.mark.slow
def test_each_page_has_something_to_show(views, database, settings) -> None:
    assert len(views) == len(PLANS) + 1
    assert {image.status for view in views.values() for image in view.images} == {"read"}
    assert sum(view.status == "signed" for view in views.values()) == 10
    assert {view.signed.user for view in views.values() if view.signed} == {"demo-physician-1", "demo-physician-2"}
    assert all("simulat" in view.description.lower() for view in views.values())
    assert all("Simulated" in view.patient_name for view in views.values())

    complete = views["SIM01"]
    assert complete.completeness["found"] == 14
    assert all(site.probabilities and site.z_score["z"] is not None for site in complete.sites)
    assert all(site.muscle_thickness_mm for site in complete.sites)
    assert views["SIM03"].completeness["found"] == 13
    assert views["SIM04"].completeness["found"] == 5

    loop = views["SIM05"].images[0]
    assert len(loop.frames) == 16
    scales = {region.mm_per_pixel_x for region in loop.frames[0].regions}
    assert len(scales) == 2
    assert max(scales) == pytest.approx(2 * min(scales))

    lung = views["SIM15"]
    assert lung.answer == "abstains"
    assert lung.reasons[0].startswith("not muscle ultrasound")

    make_demo(settings, database)
    with database.session(writes=False) as session:
        assert len(session.scalars(select(Study)).all()) == len(views)
        assert {image.status for image in session.scalars(select(StoredImage))} == {"read"}
        assert audit.check_chain(session) > 90


def test_the_shipped_files_say_what_they_are() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert "simulated" in manifest["note"]
    named = {row["file"] for patient in manifest["patients"] for row in patient["images"]}
    assert named == {path.name for path in (FOLDER / "images").glob("*.jpg")}
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 3_000_000
    assert json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))["simulated"] is True


def test_other_normals_are_kept(settings, tmp_path) -> None:
    assert demo_settings(settings).reference == FOLDER / "reference.json"
    given = settings.model_copy(update={"reference": tmp_path / "ours.json"})
    assert demo_settings(given) is given
