"""`make_demo`: fills an empty clinic with simulated studies, so that a newcomer sees every page at work."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import Study, utc_now
from myosono.clinic.demo.dicom import Examination, demo_uid, make_ultrasound
from myosono.clinic.demo.opinions import sign_as_demo_physicians
from myosono.clinic.demo.picture import GreyPixels, contraction, draw_lung, draw_screen
from myosono.clinic.files.intake import Origin, Staged, enqueue, stage
from myosono.clinic.files.store import FileStore
from myosono.clinic.settings import ClinicSettings
from myosono.clinic.work.worker import Worker

FOLDER = Path(__file__).parent
SENDER = "demo"
_LOOP_FRAMES = 16
_LUNG_SEED = 7


@dataclass(frozen=True)
class Plan:
    """How a patient of the manifest becomes a study.

    Attributes
    ----------
    kind
        ``dicom``: screens with a ruler and scale; ``loop``: cine loops with a magnified inset; ``files``: plain images.
    days_ago
        When it arrived.
    signed
        By the simulated physicians.
    """

    id: str
    kind: str
    days_ago: float
    signed: bool
    description: str


PLANS = (
    Plan("SIM06", "dicom", 53, True, "Simulated: four muscles"),
    Plan("SIM07", "dicom", 46, True, "Simulated: four muscles"),
    Plan("SIM08", "dicom", 44, True, "Simulated: four muscles, another scanner"),
    Plan("SIM09", "dicom", 37, True, "Simulated: four muscles, another scanner"),
    Plan("SIM10", "dicom", 31, True, "Simulated: four muscles"),
    Plan("SIM11", "dicom", 25, True, "Simulated: four muscles"),
    Plan("SIM12", "dicom", 18, True, "Simulated: four muscles"),
    Plan("SIM13", "dicom", 16, True, "Simulated: four muscles, another scanner"),
    Plan("SIM14", "dicom", 9, True, "Simulated: four muscles, another scanner"),
    Plan("SIM03", "files", 3, True, "Simulated: thirteen of fourteen muscles"),
    Plan("SIM04", "dicom", 2, False, "Simulated: five muscles"),
    Plan("SIM05", "loop", 1.1, False, "Simulated: cine loops, an inset of another scale"),
    Plan("SIM02", "dicom", 0.2, False, "Simulated: complete protocol"),
    Plan("SIM01", "dicom", 0.05, False, "Simulated: complete protocol"),
)
"""In order of arrival, which is the order of reading: the history first, then the newest studies, live."""

_LUNG = Plan("SIM15", "files", 0.02, False, "Simulated: a lung, which is no muscle")


def demo_settings(settings: ClinicSettings) -> ClinicSettings:
    """With the demonstration's normals, unless other normals are set: its z-scores are against simulated patients."""
    if settings.reference is not None:
        return settings
    return settings.model_copy(update={"reference": FOLDER / "reference.json"})


def make_demo(settings: ClinicSettings, database: Database) -> None:
    """Put the demonstration's studies into a clinic; what it has already is not added again.

    The studies that simulated physicians have signed are read here, which takes a few seconds; the newest ones wait in
    the queue, so that a newcomer sees them being read.

    Raises
    ------
    UploadError
        If there is no room for them.
    ClinicError
        If the database does not answer.
    """
    store = FileStore(settings)
    patients = {patient["id"]: patient for patient in _manifest()}
    history = [plan for plan in PLANS if plan.signed]
    _add(store, database, history, patients)
    if not _all_signed(database, history):
        worker = Worker(demo_settings(settings), database=database)
        while worker.run_once():
            pass
        sign_as_demo_physicians(database, {demo_uid(plan.id): patients[plan.id]["label"] for plan in history})
    _add(store, database, [plan for plan in PLANS if not plan.signed], patients)
    _enqueue(database, [_lung(store)])


def _manifest() -> list[dict[str, Any]]:
    patients: list[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["patients"]
    return patients


def _add(store: FileStore, database: Database, plans: list[Plan], patients: dict[str, dict[str, Any]]) -> None:
    known = _known(database)
    for plan in plans:
        if demo_uid(plan.id) not in known:
            _enqueue(database, list(_staged(store, plan, patients[plan.id])))


def _known(database: Database) -> set[str]:
    """Studies are added whole, so one that is there is complete."""
    with database.session(writes=False) as session:
        return set(session.scalars(select(Study.study_uid).where(Study.source == "demo")))


def _enqueue(database: Database, staged: list[Staged]) -> None:
    with database.session() as session:
        for one in staged:
            enqueue(session, one)


def _all_signed(database: Database, plans: list[Plan]) -> bool:
    uids = [demo_uid(plan.id) for plan in plans]
    with database.session(writes=False) as session:
        signed = session.scalars(select(Study.id).where(Study.study_uid.in_(uids), Study.status == "signed")).all()
    return len(signed) == len(uids)


def _staged(store: FileStore, plan: Plan, patient: dict[str, Any]) -> Iterator[Staged]:
    arrived = utc_now() - timedelta(days=plan.days_ago)
    for number, row in enumerate(patient["images"], start=1):
        file = FOLDER / "images" / row["file"]
        if plan.kind == "files":
            yield stage(store, file, _origin(plan, patient, row["file"], arrived))
            continue
        name = Path(row["file"]).with_suffix(".dcm").name
        data = _dicom(plan, patient, row, number, arrived)
        yield stage(store, data, _origin(plan, patient, name, arrived))


def _origin(plan: Plan, patient: dict[str, Any], name: str, arrived: datetime) -> Origin:
    return Origin(
        "demo",
        SENDER,
        name=name,
        study_uid=demo_uid(plan.id),
        patient_id=plan.id,
        patient_name=_name(patient),
        patient_sex=patient["sex"],
        patient_age=patient["age"],
        description=plan.description,
        arrived=arrived,
    )


def _dicom(plan: Plan, patient: dict[str, Any], row: dict[str, Any], number: int, arrived: datetime) -> bytes:
    b_mode = np.asarray(Image.open(FOLDER / "images" / row["file"]))
    lines = (f"{_name(patient).replace('^', ', ')}   SIMULATED", f"{patient['device']}   {row['site']}")
    loop = plan.kind == "loop"
    frames = contraction(b_mode, _LOOP_FRAMES) if loop else [b_mode]
    screens = [draw_screen(frame, row["mm_per_pixel"], lines, inset=loop) for frame in frames]
    examination = Examination(
        patient["id"], _name(patient), patient["sex"], patient["age"], patient["device"], arrived.date()
    )
    return make_ultrasound(screens, examination, row["site"], number)


def _name(patient: dict[str, Any]) -> str:
    return f"Simulated^{patient['id']}"


def _lung(store: FileStore) -> Staged:
    patient = {"id": _LUNG.id, "sex": "F", "age": 44}
    arrived = utc_now() - timedelta(days=_LUNG.days_ago)
    return stage(store, _png(draw_lung(_LUNG_SEED)), _origin(_LUNG, patient, "chest.png", arrived))


def _png(pixels: GreyPixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()
