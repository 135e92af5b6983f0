"""Signed readings of two simulated physicians, so that the agreement page has something to agree on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sqlalchemy import select

from myosono.clinic.database.engine import Database
from myosono.clinic.database.models import Study, User
from myosono.clinic.studies.load import load_study
from myosono.clinic.studies.opinions import NOT_ASSESSABLE, Author, Opinion, sign
from myosono.clinic.studies.view import StudyView

PHYSICIANS = (("demo-physician-1", "First simulated physician"), ("demo-physician-2", "Second simulated physician"))
"""Without a password and disabled: nobody logs in as them."""

NOTE = "Signed by a simulated physician for the demonstration."
_NO_PASSWORD = "!"
_MISSED = 6
_GRADES = ((0.35, 1), (0.6, 2), (0.85, 3))


def sign_as_demo_physicians(database: Database, truths: Mapping[str, str]) -> None:
    """Sign studies that have been read.

    Parameters
    ----------
    truths
        Study UID -> diagnosis that the simulation was told. The first physician always finds it, the second misses
        every sixth and leaves every other study to the first.
    """
    for number, (uid, truth) in enumerate(truths.items(), start=1):
        for physician, (name, full_name) in enumerate(PHYSICIANS):
            if physician and number % 2:
                continue
            diagnosis = NOT_ASSESSABLE if physician and number % _MISSED == 0 else truth
            _sign(database, uid, (name, full_name), diagnosis, seed=10 * number + physician)


def _sign(database: Database, uid: str, physician: tuple[str, str], diagnosis: str, seed: int) -> None:
    with database.session() as session:
        study_id = session.scalars(select(Study.id).where(Study.study_uid == uid)).one()
        user = session.scalar(select(User).where(User.name == physician[0]))
        if user is None:
            user = User(name=physician[0], full_name=physician[1], password_hash=_NO_PASSWORD, role="reader")
            user.disabled = True
            session.add(user)
            session.flush()
        view = load_study(session, study_id)
        if any(opinion.user == user.name and opinion.signed_at is not None for opinion in view.opinions):
            return
        agrees = None if view.label is None else view.label == diagnosis
        opinion = Opinion(diagnosis, _heckmatt(view, seed), NOTE, agrees)
        sign(session, study_id, Author(user.id, user.name), opinion, seen_answer=view.answer)


def _heckmatt(view: StudyView, seed: int) -> dict[str, int]:
    """Grades that rise with the model's chance of disease, with a physician's scatter."""
    rng = np.random.default_rng(seed)
    grades = {}
    for site in view.sites:
        if site.probabilities is None or not site.code:
            continue
        disease = 1 - site.probabilities.get("Normal", 0.0) + rng.normal(0, 0.12)
        grades[site.code] = next((grade for bound, grade in _GRADES if disease < bound), 4)
    return grades
