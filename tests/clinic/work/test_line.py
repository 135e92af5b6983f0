"""The whole line: accepted, claimed, read, pooled, shown; a page says what `myosono read` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from myosono.clinic import audit
from myosono.clinic.database.models import AuditEntry
from myosono.clinic.studies.load import load_study
from myosono.reading import quantified

SIMULATED = Path(__file__).parents[2] / "base_install" / "simulated.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shots of one muscle, one of another, and a black frame that is abstained from."""
    made = tmp_path / "study"
    made.mkdir()
    image = Image.open(SIMULATED)
    variants = {
        "P001_LB_1.png": image.crop((0, 0, image.width, image.height - 9)),
        "P001_LT_1.png": Image.new("L", (200, 200)),
        "P001_RD_1.png": image,
        "P001_RD_2.png": ImageOps.mirror(image),
    }
    for name, variant in variants.items():
        variant.save(made / name)
    return made


def test_a_study_reads_as_the_command_line_reads_it(folder, database, take, worker, study_reader) -> None:
    taken = [take(path.read_bytes(), path.name) for path in sorted(folder.iterdir())]
    while worker.run_once():
        pass
    expected = quantified(study_reader.reader.read(folder), study_reader.quantifier)
    patient = expected.patients[0]
    with database.session(writes=False) as session:
        view = load_study(session, taken[0].study.id)
    assert view.status == "read"
    assert (view.probabilities, view.label, view.answer) == (patient.probabilities, patient.label, patient.answer)
    assert (view.prediction_set, view.reasons) == (patient.prediction_set, patient.reasons)
    assert view.priority == 1 - patient.probabilities["Normal"]
    assert view.model == expected.model.to_dict()
    assert view.banners == expected.model.warnings
    assert view.completeness == expected.quantification.protocols["P001"].to_dict()
    assert view.quantification_notes == expected.quantification.notes
    muscles = {(one.muscle, one.side): one for one in expected.muscles}
    measured = {(one.muscle, one.side): one for one in expected.quantification.sites}
    for site in view.sites:
        pooled = muscles.get((site.muscle, site.side))
        assert site.probabilities == (pooled.probabilities if pooled else None)
        quantities = measured.get((site.muscle, site.side))
        assert site.echo_intensity == (quantities.echo_intensity if quantities else None)
    assert len(view.sites) == 14
    for image, said in zip(view.images, expected.images, strict=True):
        (frame,) = image.frames
        assert (frame.probabilities, frame.label, frame.reasons) == (said.probabilities, said.label, said.reasons)
        assert (frame.area, frame.quantities) == (said.area, said.quantities.to_dict())
        assert frame.has_maps


def test_frames_of_a_clip_weigh_as_on_the_command_line(tmp_path, database, take, worker, study_reader) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    image = Image.open(SIMULATED).convert("L")
    image.save(folder / "P001_RD_1.png")
    darker = [image.point(lambda grey, gain=gain: grey * gain) for gain in (0.8, 0.85, 0.9)]
    darker[0].save(folder / "P001_RD_2.tif", save_all=True, append_images=darker[1:])
    taken = [take(path.read_bytes(), path.name) for path in sorted(folder.iterdir())]
    while worker.run_once():
        pass
    expected = quantified(study_reader.reader.read(folder), study_reader.quantifier)
    with database.session(writes=False) as session:
        view = load_study(session, taken[0].study.id)
    (measured,) = expected.quantification.sites
    (site,) = [one for one in view.sites if one.code == "RD"]
    assert [len(one.frames) for one in view.images] == [1, 3]
    assert site.echo_intensity == measured.echo_intensity
    assert site.probabilities == expected.muscles[0].probabilities


def test_reading_is_in_the_audit_log_with_the_model(folder, database, take, worker, study_reader) -> None:
    take((folder / "P001_RD_1.png").read_bytes())
    worker.run_once()
    with database.session(writes=False) as session:
        entries = session.query(AuditEntry).all()
        assert audit.check_chain(session) == 2
    assert [(entry.user, entry.action) for entry in entries] == [("tester", "upload"), ("system", "read")]
    assert entries[1].model_sha256 == study_reader.model_sha256


def test_a_study_of_nothing_but_black_frames_abstains(database, take, worker, tmp_path) -> None:
    path = tmp_path / "black.png"
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(path)
    taken = take(path.read_bytes(), "black.png")
    worker.run_once()
    with database.session(writes=False) as session:
        view = load_study(session, taken.study.id)
    assert (view.status, view.answer, view.abstained, view.priority) == ("read", "abstains", True, None)
    assert view.reasons
    assert view.sites[-1].code == ""
    assert view.sites[-1].images == (taken.image.id,)


def test_another_model_reads_the_whole_study_anew(folder, database, take, worker, study_reader, monkeypatch) -> None:
    first = take((folder / "P001_RD_1.png").read_bytes(), "P001_RD_1.png")
    worker.run_once()
    monkeypatch.setattr(study_reader.reader.artefact, "sha256", "f" * 64)
    take((folder / "P001_LB_1.png").read_bytes(), "P001_LB_1.png")
    worker.run_once()
    with database.session(writes=False) as session:
        between = load_study(session, first.study.id)
    assert between.status == "receiving"
    assert between.images[0].status == "pending"
    while worker.run_once():
        pass
    with database.session(writes=False) as session:
        after = load_study(session, first.study.id)
    assert after.status == "read"
    assert after.model["sha256"] == "f" * 64
    assert [len(image.frames) for image in after.images] == [1, 1]
