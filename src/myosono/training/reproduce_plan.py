"""Plan the published protocol, and check all of it before the first run begins: the whole may take days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from myosono.cohort import Cohort, get_task, is_cohort
from myosono.cohort.importing import import_cohort
from myosono.cohort.published import SCENARIOS, find_fold_files
from myosono.errors import CohortError, UsageError
from myosono.networks import create_model, list_models, model_kind
from myosono.training.recipe import Recipe
from myosono.training.train import make_recipe_split, target_rows

MODELS = ("stanet_s", "dual_branch")
TASKS = tuple(SCENARIOS.values())
RUNS = "runs"


@dataclass(frozen=True)
class PlannedRun:
    """One run of the protocol: its recipe, and its folder under the protocol's."""

    recipe: Recipe
    folder: str

    @property
    def title(self) -> str:
        """What it is, in words."""
        kind = {"patient": "patient folds", "published": "published folds", "image": "image-level folds"}
        return f"{self.recipe.task}, {kind[self.recipe.split]}, {self.recipe.model}"


@dataclass(frozen=True)
class Protocol:
    """What will run, checked."""

    cohort: Cohort
    base: Recipe
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    fold_files: bool
    only_folds: tuple[int, ...] | None
    notes: tuple[str, ...]


def open_source(source: str | Path, out: str | Path, *, quiet: bool = False) -> Cohort:
    """The cohort to reproduce on: ``source`` itself, or what is imported from it into ``out/cohort``.

    Raises
    ------
    UsageError, CohortError
        ``source`` is neither a cohort nor anything that a reader knows, or ``out`` holds the import of another source.
    """
    path, kept = Path(source), Path(out) / "cohort"
    if is_cohort(path):
        return Cohort.open(path)
    if is_cohort(kept):
        cohort = Cohort.open(kept)
        if not cohort.info.source.endswith(f": {path.name}"):
            raise CohortError(
                f"was imported from {cohort.info.source!r}, not from {path.name!r}",
                path=kept, remedy="Choose another folder with --out",
            )  # fmt: skip
        return cohort
    result = import_cohort(path, kept, overwrite=True, quiet=quiet)
    return result.cohort


def plan_reproduction(
    cohort: Cohort,
    recipe: Recipe,
    *,
    models: Sequence[str] = MODELS,
    tasks: Sequence[str] | None = None,
    only_folds: Sequence[int] | None = None,
) -> Protocol:
    """Decide the runs, and check that every split can be made and every network exists.

    Parameters
    ----------
    cohort
        Its fold files (or ``recipe.fold_files``) are the image-level folds; without any, folds are made by image.
    recipe
        Settings of every run; model, task and split are set here.
    tasks
        Default: those of the fold files, or all four.
    only_folds
        Fit these folds alone, counted from 0.

    Raises
    ------
    UsageError
        An unknown task, a fold that a split has not, or nothing to do.
    SplitError, ModelError, CohortError
        A split cannot be made, a network is unknown, or a class has no images.
    """
    folder = Path(recipe.fold_files) if recipe.fold_files else cohort.folds_folder
    scenarios = sorted({item.scenario for item in find_fold_files(folder)}) if folder else []
    if recipe.fold_files and not scenarios:
        raise UsageError("no published fold files (S1_FileList_Fold_1.csv ...) here", path=recipe.fold_files)
    served = [SCENARIOS[number] for number in scenarios if number in SCENARIOS] or list(TASKS)
    chosen = tuple(dict.fromkeys(tasks or served))
    absent = [task for task in chosen if task not in served]
    if absent:
        raise UsageError(f"no fold files serve the task {absent[0]!r}", remedy=f"Served are: {', '.join(served)}")
    for name in models:
        if name not in list_models() or (recipe.pretrained and model_kind(name) == "network"):
            # Raises for a name that timm does not know either, and where pretrained weights cannot be had.
            create_model(name, pretrained=recipe.pretrained)
    kinds = ("published" if scenarios else "image", "patient")
    runs = tuple(
        _planned(recipe, task, kind, model) for kind in kinds for task in chosen for model in dict.fromkeys(models)
    )
    if not runs:
        raise UsageError("no network to train", remedy=f"For example --models {','.join(MODELS)}")
    _check_splits(cohort, runs, only_folds)
    return Protocol(
        cohort=cohort,
        base=recipe,
        models=tuple(dict.fromkeys(models)),
        tasks=chosen,
        runs=runs,
        fold_files=bool(scenarios),
        only_folds=None if only_folds is None else tuple(only_folds),
        notes=(*_notes(scenarios, served, chosen, only_folds), *_unread(cohort)),
    )


def _planned(recipe: Recipe, task: str, kind: str, model: str) -> PlannedRun:
    settings = recipe.model_copy(update={"model": model, "task": task, "split": kind})
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", model)
    return PlannedRun(settings, f"{RUNS}/{task}-{kind}-{safe}")


def _check_splits(cohort: Cohort, runs: Sequence[PlannedRun], only_folds: Sequence[int] | None) -> None:
    for recipe in {(run.recipe.task, run.recipe.split): run.recipe for run in runs}.values():
        get_task(recipe.task, cohort.info.classes)
        rows, _ = target_rows(cohort, recipe)
        split = make_recipe_split(cohort, rows, recipe)
        unknown = sorted(set(only_folds or ()) - set(split.folds))
        if unknown:
            raise UsageError(f"the {recipe.split} split of {recipe.task} has folds {list(split.folds)}, not {unknown}")


def _notes(
    scenarios: Sequence[int], served: Sequence[str], chosen: Sequence[str], only_folds: Sequence[int] | None
) -> tuple[str, ...]:
    notes = []
    if not scenarios:
        notes.append(
            "This cohort has no published fold files: its image-level folds were made here by the same scheme, "
            "stratified by image without regard to patients."
        )
    missing = [task for task in TASKS if task not in served]
    if missing:
        notes.append(f"No fold files came for {', '.join(missing)}.")
    left = [task for task in served if task not in chosen]
    if left:
        notes.append(f"Left out as asked: {', '.join(left)}.")
    if only_folds is not None:
        folds = ", ".join(str(fold) for fold in sorted(only_folds))
        notes.append(f"Asked to fit fold {folds} of each split alone; folds of earlier calls here count too.")
    return tuple(notes)


def _unread(cohort: Cohort) -> list[str]:
    return [f"{note}." for note in cohort.info.notes if "could not be read" in note]
