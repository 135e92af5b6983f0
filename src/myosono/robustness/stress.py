"""The stress test: every image, degraded in every way, read by every model as `Reader` reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myosono.cohort import Cohort
from myosono.cohort.schema import files_of
from myosono.cohort.tasks import default_task, get_task
from myosono.errors import ArtefactError, UsageError
from myosono.provenance import now, versions
from myosono.reading.artefact import Artefact, Outputs
from myosono.reading.grey_range import is_unseen
from myosono.reading.reader import Reader
from myosono.robustness.degradations import Degradation, choose_degradations
from myosono.robustness.held_out import exposure, held_out_ids
from myosono.robustness.result import StressedModel, StressResult
from myosono.robustness.scoring import Answers, HeldOut, score_answers

Condition = tuple[Degradation, float]


class _Observed(Artefact):
    """A model that remembers what its network said, also of an image that the reader refuses."""

    def __init__(self, path: Path | None, threads: int) -> None:
        super().__init__(path, threads=threads)
        self.last: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self.reader = Reader(self)
        self.name = ""

    def run(self, image: NDArray[np.uint8]) -> Outputs:
        outputs = super().run(image)
        self.last = outputs.probabilities
        return outputs

    def answer(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], bool, bool]:
        """Probabilities, shape ``(classes,)``, whether the reader refuses the image, and whether it doubts its gain."""
        (read,) = self.reader.read(image).images
        return self.last, read.abstained, is_unseen(read.reasons)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The held-out images, and their patients, true classes and files."""

    images: tuple[str, ...]
    tested: HeldOut


def stress(
    models: Sequence[Path | None],
    cohort: Cohort,
    *,
    runs: Sequence[Path] = (),
    degradations: Sequence[str] = (),
    limit: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    threads: int = 1,
    command: str = "",
    on_start: Callable[[int], None] | None = None,
    on_image: Callable[[], None] | None = None,
) -> StressResult:
    """Degrade a cohort's held-out images step by step, read them with each model, and score the answers.

    Parameters
    ----------
    models
        Model files, the one under test first; None is the one that ships with myosono.
    runs
        Run folders of models that were trained on this cohort: they tell which patients were held out.
    degradations
        Names; all by default.
    limit
        Most images of a patient, drawn by ``seed``.
    resamples
        Draws of patients behind intervals.
    threads
        Threads of one inference.
    on_start, on_image
        Called with the number of images before the first, and after each, for progress.

    Raises
    ------
    ArtefactError
        If a model file is refused, or the models know different classes.
    CohortError
        If an image is missing or damaged.
    UsageError
        If the cohort has no images for the models' task, or none that is held out for all.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"at least one image of a patient is needed, not {limit}")
    chosen_ways = choose_degradations(degradations)
    contenders = _open(models, threads)
    exposures = [exposure(one.metadata, cohort, runs) for one in contenders]
    chosen = _choose(cohort, contenders[0], held_out_ids(cohort, exposures), limit, seed)
    conditions = [(way, strength) for way in chosen_ways for strength in way.strengths]
    if on_start is not None:
        on_start(len(chosen.images))
    answers = _read_all(cohort, chosen, contenders, conditions, seed, on_image)
    rows = score_answers(answers, chosen.tested, conditions, resamples=resamples, seed=seed)
    described = [{**asdict(way), "change": None} for way in chosen_ways]
    return StressResult(
        cohort=cohort.info.name,
        content_hash=cohort.info.content_hash,
        simulated=cohort.info.simulated,
        images=len(chosen.images),
        patients=len(set(chosen.tested.patients)),
        limit=limit,
        resamples=resamples,
        seed=seed,
        classes=contenders[0].classes,
        models=tuple(
            StressedModel(one.name, one.sha256, one.reader.model.warnings, known.standing, known.statement)
            for one, known in zip(contenders, exposures, strict=True)
        ),
        degradations=tuple({key: value for key, value in one.items() if key != "change"} for one in described),
        rows=tuple(rows),
        created=now(),
        versions=versions(),
        command=command,
    )


def _open(models: Sequence[Path | None], threads: int) -> list[_Observed]:
    if not models:
        raise UsageError("no model to test")
    contenders = [_Observed(path, threads) for path in models]
    first = contenders[0]
    for one in contenders:
        if (one.classes, one.metadata.get("task")) != (first.classes, first.metadata.get("task")):
            raise ArtefactError(
                f"knows the classes {', '.join(one.classes)} (task {one.metadata.get('task')}); {first.path} knows "
                f"{', '.join(first.classes)} (task {first.metadata.get('task')})",
                path=one.path,
                remedy="Compare models of the same task",
            )
    names = [str(one.metadata["name"]) for one in contenders]
    for number, one in enumerate(contenders):
        # Two exports may bear one name, and rows are told apart by it.
        one.name = names[number] if names.count(names[number]) == 1 else f"{names[number]} [{number + 1}]"
    return contenders


def _choose(cohort: Cohort, model: _Observed, kept: Sequence[str], limit: int | None, seed: int) -> _Chosen:
    """Held-out images that the task has a target for, at most ``limit`` of a patient."""
    name = str(model.metadata.get("task", "auto"))
    task = get_task(default_task(cohort.info.classes) if name == "auto" else name, cohort.info.classes)
    if set(task.classes) != set(model.classes):
        raise UsageError(
            f"the model tells {', '.join(model.classes)} apart, and this cohort's task {task.name} is "
            f"{', '.join(task.classes)}",
            remedy="Choose a cohort with the model's classes",
        )
    table = cohort.table[cohort.table["image_id"].isin(kept)].copy()
    table["target"] = task.targets(table["label"])
    table = table[table["target"].notna()]
    if limit is not None:
        shuffled = table.sort_values("image_id").sample(frac=1, random_state=seed)
        table = table.loc[shuffled.groupby("patient_id").head(limit).index]
    table = table.sort_values("image_id")
    if table.empty:
        raise UsageError(f"no held-out image of this cohort has a label of the task {task.name}")
    place = {label: number for number, label in enumerate(model.classes)}
    targets = np.array([place[target] for target in table["target"]], dtype=np.intp)
    held_out = HeldOut(tuple(table["patient_id"].astype(str)), targets, files_of(table))
    return _Chosen(tuple(table["image_id"].astype(str)), held_out)


def _read_all(
    cohort: Cohort,
    chosen: _Chosen,
    contenders: Sequence[_Observed],
    conditions: Sequence[Condition],
    seed: int,
    on_image: Callable[[], None] | None,
) -> list[Answers]:
    count, classes = len(chosen.images), len(contenders[0].classes)
    shape = (len(conditions), count)
    answers = [
        Answers(one.name, one.patient_rule, np.empty((*shape, classes)), *np.empty((2, *shape), dtype=np.bool_))
        for one in contenders
    ]
    for row, image_id in enumerate(chosen.images):
        image = cohort.image(image_id)
        for column, (way, strength) in enumerate(conditions):
            degraded = way.apply(image, strength, key=image_id, seed=seed)
            for one, found in zip(contenders, answers, strict=True):
                place = column, row
                found.probabilities[place], found.refused[place], found.doubted[place] = one.answer(degraded)
        if on_image is not None:
            on_image()
    return answers
