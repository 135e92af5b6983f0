"""A migrated database in a temporary folder, and studies as the worker would leave them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from myosono.clinic.database.engine import Database
from myosono.clinic.database.migrate import upgrade
from myosono.clinic.database.models import FrameReading, StoredImage, Study, User
from myosono.clinic.settings import ClinicSettings

MODEL = {"name": "stanet_s", "version": "1", "sha256": "a" * 64, "trained_on": "simulated", "warnings": []}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(ClinicSettings(data=tmp_path / "clinic"))
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as opened:
        yield opened


MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(session: Session) -> MakeStudy:
    """A study with read images: ``make_study("P1", {"IBM": .8, ...}, answer="IBM", sites=("RD", "LD"))``."""
    numbers = itertools.count(1)

    def make(
        patient: str,
        probabilities: dict[str, float] | None = None,
        *,
        answer: str = "",
        label: str | None = None,
        sites: tuple[str, ...] = (),
        arrived: datetime = datetime(2026, 3, 4, 12, tzinfo=UTC),
        status: str = "read",
        echo: float | None = None,
        failed: int = 0,
        **more: Any,
    ) -> Study:
        result = None
        if probabilities is not None:
            single = label or (answer if answer in probabilities else None)
            result = {
                "patient_id": patient,
                "probabilities": probabilities,
                "label": single,
                "answer": answer,
                "prediction_set": [],
                "abstained": single is None,
                "reasons": [],
                "images": len(sites),
            }
        study = Study(
            study_uid=more.pop("study_uid", f"1.2.3.{patient}.{next(numbers)}"),
            source=more.pop("source", "upload"),
            patient_id=patient,
            status=status,
            arrived=arrived,
            study_date=more.pop("study_date", date(2026, 3, 1)),
            result=result,
            priority=None if probabilities is None else 1 - probabilities["Normal"],
            model=MODEL if probabilities is not None else None,
            **more,
        )
        session.add(study)
        session.flush()
        for number, site in enumerate(sites):
            image = _image(study, number, "read", site)
            quantities = None if echo is None else {"echo_intensity": {"mean": echo, "sd": 1.0}}
            image.frames = [_frame(probabilities or {}, quantities)]
            session.add(image)
        for number in range(failed):
            session.add(_image(study, 100 + number, "failed", None))
        session.flush()
        return study

    return make


def _image(study: Study, number: int, status: str, site: str | None) -> StoredImage:
    return StoredImage(
        study_id=study.id, sha256=f"{number:064d}", file=f"{number}.png", size=1, status=status,
        side=site[0] if site else None, muscle=site[1:] if site else None,
    )  # fmt: skip


def _frame(probabilities: dict[str, float], quantities: dict[str, Any] | None) -> FrameReading:
    return FrameReading(
        frame=0, probabilities=probabilities, abstained=False, reasons=[], area=[0, 0, 1, 1], width=1, height=1,
        regions=[], shrinkage_fraction=0.1, quantities=quantities, model_sha256=MODEL["sha256"],
    )  # fmt: skip


@pytest.fixture
def make_user(session: Session) -> Callable[[str], User]:
    def make(name: str) -> User:
        user = User(name=name, full_name=f"Dr {name}", password_hash="", role="reader")
        session.add(user)
        session.flush()
        return user

    return make
