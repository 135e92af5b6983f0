"""A study that was really uploaded and read gets its pictures, and a report with them in every form."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from myosono.clinic.database.engine import Database
from myosono.clinic.files.intake import Origin, accept
from myosono.clinic.files.store import FileStore
from myosono.clinic.reports.csv import to_csv
from myosono.clinic.reports.fhir import to_fhir
from myosono.clinic.reports.html import render_report
from myosono.clinic.reports.key_frames import choose_key_frames, grey_key, heat_key
from myosono.clinic.reports.key_images import _png, key_images
from myosono.clinic.studies.load import load_study
from myosono.clinic.work.worker import Worker

LAYOUT = "P7_RD_1.png", "P7_LFDP_1.png"


def speckle(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = rng.rayleigh(45, (60, 50)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((400, 480), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
def test_pictures_of_a_study_that_was_read(database: Database, store: FileStore, worker: Worker) -> None:
    with database.session() as session:
        for seed, name in enumerate(LAYOUT):
            study = accept(session, store, speckle(seed), Origin("upload", "ben", name=name, study_uid="2.25.7")).study
    while worker.run_once():
        pass
    with database.session(writes=False) as session:
        view = load_study(session, study.id)
        pictures = key_images(session, store, view)
    frames = choose_key_frames(view)
    assert {key.site.code for key in frames} == {"RD", "LFDP"}
    for key in frames:
        grey = Image.open(io.BytesIO(pictures[grey_key(key.frame)]))
        top, left, bottom, right = key.frame.area
        assert grey.size == (right - left, bottom - top)
        assert (heat_key(key.frame) in pictures) == (key.heat_class is not None)
    page = render_report(view, "en", pictures)
    assert page.count("<figure>") == 2
    assert "simulation-trained, not for clinical use" in page
    assert len(to_csv([view]).splitlines()) >= 15
    assert to_fhir(view)["entry"][0]["resource"]["status"] == "preliminary"


def test_a_lost_file_is_left_out_and_said(database: Database, store: FileStore, worker: Worker) -> None:
    with database.session() as session:
        study = accept(session, store, speckle(3), Origin("upload", "ben", name=LAYOUT[0], study_uid="2.25.8")).study
    worker.run_once()
    with database.session(writes=False) as session:
        view = load_study(session, study.id)
        assert key_images(session, store, view)
        store.path(view.images[0].file).unlink()
        assert key_images(session, store, view) == {}
    assert "The image file cannot be shown." in render_report(view, "en", {"of another study": b""})


def test_a_wide_picture_is_made_smaller() -> None:
    small = Image.open(io.BytesIO(_png(Image.fromarray(np.zeros((900, 1600), np.uint8)))))
    assert small.size == (480, 270)
