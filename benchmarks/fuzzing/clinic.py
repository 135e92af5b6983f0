"""The ways into the clinic: uploads and archives, received DICOM, stored maps, and reports of whatever came in."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_TEXTS = (
    "", "Doe^Jane", "王^小东", "=cmd|'/C calc'!A0", "<script>alert(1)</script>", "{{ 7 * 7 }}", "{0.__class__}", "\0",
    "\x1b[2J", "\ud83d", "a" * 5000, "\u202egnp.exe", "../../x", "&#x3c;", "url(http://example.com)", "\ufeff", "%s",
    "\r\nSet-Cookie: x",
)  # fmt: skip


@cache
def _database(folder: str) -> tuple[Any, Any]:
    """One for all cases of a process: a new one for each would test SQLite's start. Emptied with the folder's files."""
    from myosono.clinic.database.engine import Database
    from myosono.clinic.database.models import Base
    from myosono.clinic.files.store import FileStore
    from myosono.clinic.settings import ClinicSettings, UploadLimits

    # The flushes to disk are no part of what is tested here, and take all the time.
    os.fsync = lambda _file: None
    limits = UploadLimits(
        file_bytes=50_000_000, files=1000, unpacked_bytes=60_000_000, compression_ratio=200.0, free_bytes=0
    )
    settings = ClinicSettings(data=Path(folder) / "clinic", database_url="sqlite://", uploads=limits)
    database = Database(settings)
    Base.metadata.create_all(database.engine)
    return database, FileStore(settings)


def receive_upload(data: bytes, folder: Path) -> None:
    """As the web does with a file that a browser sent."""
    from myosono.clinic.files.uploads import new_upload
    from myosono.clinic.files.uploads import receive_upload as receive

    database, store = _database(str(folder))
    path = folder / "body"
    path.write_bytes(data)
    outcome = receive(database, store, path, "study.zip", upload=new_upload(), sender="fuzz")
    for image in outcome.accepted:
        if image.new and not image.image_id:
            raise AssertionError("accepted without a row")


def receive_dicom(data: bytes, folder: Path) -> None:
    """As the Storage SCP does with a dataset, after its bytes are on disk."""
    from myosono.clinic.network.receive import Receiver

    database, store = _database(str(folder))
    path = folder / "received.dcm"
    path.write_bytes(data)
    answer = Receiver(database, store).receive(path, "CART")
    answer.dataset()
    if answer.status == 0 and answer.image_id is None:
        raise AssertionError("acknowledged without a row")


def unpack_maps(data: bytes, _folder: Path) -> None:
    """Maps as the database holds them, after its disk has aged."""
    from myosono.clinic.work.maps import unpack

    unpack(data)


@cache
def packed_maps() -> tuple[bytes, ...]:
    """Maps of one frame."""
    from myosono.clinic.work.maps import pack

    values = np.random.default_rng(0).normal(size=(5, 7, 7))
    return (pack(values[:4], values[4]),)


def make_view(rng: random.Random) -> bytes:
    """The number of a view; `write_reports` makes the same from it."""
    return str(rng.randrange(2**32)).encode()


def write_reports(data: bytes, _folder: Path) -> None:
    """Every kind of text report of a study whose header says anything; PDF is drawn from the same page."""
    from myosono.clinic.reports.csv import to_csv
    from myosono.clinic.reports.fhir import to_fhir
    from myosono.clinic.reports.html import render_report

    view = _view(random.Random(data))
    page = render_report(view, "zh-CN", {}) + render_report(view, "en", {})
    if "<script" in page:
        raise AssertionError("a script in a report")
    for line in to_csv([view]).splitlines():
        if line.startswith(("=", "+", "-", "@")):
            raise AssertionError("a formula in a table")
    to_fhir(view)


def _view(rng: random.Random) -> Any:
    from myosono.clinic.studies.view import OpinionView, SiteView, StudyView

    def text() -> str:
        return rng.choice(_TEXTS)

    now = datetime(2026, 3, 4, tzinfo=UTC)
    values = (None, 0.0, -1.0, 1e300, 55.5, 1e-300)
    classes = tuple(dict.fromkeys(rng.choice(("Normal", "IBM", "PM", "DM", text())) for _ in range(4)))
    shares = dict.fromkeys(classes, 1 / len(classes))
    site = SiteView(
        "RD",
        "D",
        "R",
        (1,),
        shares,
        classes[0],
        rng.choice(values),
        {"z": rng.choice(values), "warnings": [text()]},
        rng.choice(values),
        rng.choice(values),
        rng.choice(((), ((text(), 1),), ((text(), 1), (text(), 4)))),
    )
    opinion = OpinionView(
        1, text(), text(), rng.choice((None, True)), text(), {}, text(), text(), "", now, now, None, text()
    )
    amended = replace(opinion, id=2, amends_id=1)
    born = rng.choice((None, date(1, 1, 1), date(9999, 12, 31)))
    return StudyView(
        id=1, study_uid=rng.choice(("1.2.3", "2.25.1")), source=rng.choice(("dicom", "demo", "upload")), sender=text(),
        patient_id=text(), patient_name=text(), patient_sex=rng.choice(("F", "O", "", "X")), patient_birth_date=born,
        patient_age=rng.choice((None, 0.0, 150.0)), accession=text(), description=text(),
        study_date=rng.choice((None, date(2026, 3, 4))), device=text(), arrived=now, updated=now, status="read",
        priority=0.5, classes=classes, probabilities=rng.choice((None, shares)), label=None, answer=text(),
        prediction_set=classes[: rng.randrange(len(classes) + 1)], abstained=True, reasons=(text(),),
        model=rng.choice(({}, {"name": text(), "version": text(), "sha256": "ab" * 32, "trained_on": text()})),
        banners=(text(),), sites=(site,), images=(), completeness=rng.choice((None, {"text": text()})),
        quantification_notes=(text(),), opinions=rng.choice(((), (opinion,), (opinion, amended))),
    )  # fmt: skip
