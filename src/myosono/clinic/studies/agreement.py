"""How far model and physicians, and physicians among themselves, agree: from signed readings only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from sqlalchemy import select
from sqlalchemy.orm import Session

from myosono.anatomy import DIAGNOSES
from myosono.clinic.database.models import PhysicianReading, Study
from myosono.clinic.studies.kappa import Kappa, cohen_kappa
from myosono.clinic.studies.opinions import NOT_ASSESSABLE, OTHER

NO_SINGLE = "no single diagnosis"
"""The model's row for prediction sets of several diagnoses and for abstentions."""
GRADES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Confusion:
    """Counts of model answer (row) by physician's diagnosis (column)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Agreement:
    """What the signed readings say.

    Attributes
    ----------
    readings, studies
        Signed readings that hold, and the studies that they are of.
    confusion
        All of them.
    kappa
        Where the model gave one diagnosis; a patient's studies are resampled together.
    agreed, decided
        Readings where the physician chose the model's single diagnosis, of those where it gave one.
    abstained
        Readings of studies where the model gave no single diagnosis.
    set_held
        Of those with a set of several diagnoses (``sets``): how many hold the physician's.
    heckmatt
        Between two readers of the same sites, quadratic weights.
    heckmatt_exact
        Share of those pairs with the same grade, None without pairs.
    models
        Readings by SHA-256 of the model that they were signed with: figures over several models mix them.
    """

    readings: int
    studies: int
    confusion: Confusion
    kappa: Kappa
    agreed: int
    decided: int
    abstained: int
    set_held: int
    sets: int
    heckmatt: Kappa
    heckmatt_exact: float | None
    models: Mapping[str, int]


@dataclass(frozen=True)
class _Signed:
    study: int
    patient: str
    user: int
    answer: str
    diagnosis: str
    heckmatt: Mapping[str, int]
    model: str


def measure_agreement(session: Session, *, demo: bool = True) -> Agreement:
    """From all signed readings that nothing amends.

    Parameters
    ----------
    demo
        False leaves out demonstration studies.
    """
    signed = _signed(session, demo=demo)
    single = [one for one in signed if one.answer in _single_answers(signed)]
    sets = [one for one in signed if " or " in one.answer]
    pairs = _grade_pairs(signed)
    categories = _ordered({one.answer for one in single} | {one.diagnosis for one in single})
    first = [one.answer for one in single]
    second = [one.diagnosis for one in single]
    exact = sum(a == b for a, b, _ in pairs) / len(pairs) if pairs else None
    return Agreement(
        readings=len(signed),
        studies=len({one.study for one in signed}),
        confusion=_confusion(signed),
        kappa=cohen_kappa(first, second, [one.patient for one in single], categories),
        agreed=sum(a == b for a, b in zip(first, second, strict=True)),
        decided=len(single),
        abstained=len(signed) - len(single),
        set_held=sum(one.diagnosis in one.answer.split(" or ") for one in sets),
        sets=len(sets),
        heckmatt=cohen_kappa(
            [a for a, _, _ in pairs], [b for _, b, _ in pairs], [c for _, _, c in pairs], GRADES, quadratic=True
        ),
        heckmatt_exact=exact,
        models=dict(Counter(one.model for one in signed)),
    )


def _signed(session: Session, *, demo: bool) -> list[_Signed]:
    amended = select(PhysicianReading.amends_id).where(
        PhysicianReading.amends_id.is_not(None), PhysicianReading.signed_at.is_not(None)
    )
    statement = (
        select(PhysicianReading, Study)
        .join(Study, Study.id == PhysicianReading.study_id)
        .where(PhysicianReading.signed_at.is_not(None), PhysicianReading.id.not_in(amended))
        .order_by(PhysicianReading.id)
    )
    if not demo:
        statement = statement.where(Study.source != "demo")
    return [
        _Signed(
            study=study.id,
            patient=study.patient_id or study.study_uid,  # a study without an id stands for a patient of its own
            user=reading.user_id,
            answer=reading.model_answer,
            diagnosis=reading.diagnosis,
            heckmatt=reading.heckmatt,
            model=reading.model_sha256,
        )
        for reading, study in session.execute(statement).tuples()
    ]


def _single_answers(signed: Sequence[_Signed]) -> set[str]:
    return {one.answer for one in signed} - {"", "abstains"} - {one.answer for one in signed if " or " in one.answer}


def _confusion(signed: Sequence[_Signed]) -> Confusion:
    single = _single_answers(signed)
    said = [one.answer if one.answer in single else NO_SINGLE for one in signed]
    chosen = [one.diagnosis for one in signed]
    known = set(DIAGNOSES) if single <= set(DIAGNOSES) else set()
    rows = (*_ordered(single | known), NO_SINGLE)
    columns = _ordered(single | known | set(chosen))
    counts = Counter(zip(said, chosen, strict=True))
    return Confusion(rows, columns, tuple(tuple(counts[row, column] for column in columns) for row in rows))


def _grade_pairs(signed: Sequence[_Signed]) -> list[tuple[int, int, str]]:
    """Grades that two readers gave to one site, and the patient; the reader with the lower id comes first."""
    by_study: dict[int, list[_Signed]] = defaultdict(list)
    for one in signed:
        by_study[one.study].append(one)
    return [
        (int(a.heckmatt[site]), int(b.heckmatt[site]), a.patient)
        for readings in by_study.values()
        for a, b in combinations(sorted(readings, key=lambda one: one.user), 2)
        if a.user != b.user
        for site in sorted(a.heckmatt.keys() & b.heckmatt.keys())
    ]


def _ordered(names: set[str]) -> tuple[str, ...]:
    """Known diagnoses in their usual order, then other classes by name, then what is no class."""
    last = (OTHER, NOT_ASSESSABLE)
    known = [name for name in DIAGNOSES if name in names]
    rest = sorted(names - set(known) - set(last))
    return (*known, *rest, *(name for name in last if name in names))
