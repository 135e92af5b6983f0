"""`train`: cohort + recipe → run folder. Stops at nothing and resumes at the last finished epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.cohort import Cohort, Split, default_task, fold_sha256, get_task, make_split
from myosono.errors import CohortError, RunError, UsageError
from myosono.evaluation import Evaluation, evaluate
from myosono.formats import RUN_FORMAT
from myosono.networks import create_model, list_models, measure_cost, model_kind, record
from myosono.networks.starting_weights import starting_weights_facts
from myosono.progress import progress_bar
from myosono.provenance import machine, now, versions
from myosono.training.fold import FoldTask, fit_fold, identity_columns, write_json, write_parquet
from myosono.training.inputs import discard_inputs, prepare_inputs
from myosono.training.recipe import Recipe, Teacher
from myosono.training.run import Run


def train(
    cohort: Cohort,
    recipe: Recipe,
    out: str | Path,
    *,
    only_folds: Sequence[int] | None = None,
    command: str = "",
    quiet: bool = False,
) -> tuple[Run, Evaluation]:
    """Fit the folds of a split, predict every held-out image, evaluate.

    Parameters
    ----------
    cohort
        Open cohort.
    recipe
        Settings.
    out
        Run folder; one with the same recipe and cohort is resumed.
    only_folds
        Fit these folds and no others; the run stays open for the rest.
    command
        What the user typed, for the record.

    Raises
    ------
    RunError
        If the folder belongs to another recipe or cohort.
    SplitError
        If the cohort cannot be split as asked.
    UsageError
        If ``only_folds`` names a fold that the split has not.
    """
    folder = Path(out)
    rows, classes = target_rows(cohort, recipe)
    split = make_recipe_split(cohort, rows, recipe)
    folds = _chosen_folds(split, only_folds)
    facts = _facts(cohort, recipe, classes, split, command)
    facts = _begin(folder, recipe, facts, split)
    inputs = prepare_inputs(cohort, rows["image_id"].tolist(), recipe.size, folder / "inputs.npy", quiet=quiet)
    with progress_bar(disable=quiet) as bar:
        for fold in folds:
            roles = split.table.loc[split.table["fold"] == fold].set_index("image_id")["role"]
            task = FoldTask(
                recipe=recipe,
                classes=classes,
                rows=rows.assign(role=rows["image_id"].map(roles)),
                inputs=inputs,
                folder=folder / f"fold_{fold}",
                fold=int(fold),
                title=f"fold {fold} ({fold + 1} of {split.table['fold'].nunique()})",
                quiet=quiet,
            )
            fit_fold(task, bar)
    del inputs
    return _finish(folder, facts, classes, split)


def target_rows(cohort: Cohort, recipe: Recipe) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The cohort's rows that take part in the recipe's task, with their ``target``, and the target classes."""
    name = default_task(cohort.info.classes) if recipe.task == "auto" else recipe.task
    task = get_task(name, cohort.info.classes)
    table = cohort.table
    targets = task.targets(table["label"])
    rows = table.loc[targets.notna(), identity_columns(table)].assign(target=targets[targets.notna()].astype(str))
    present = set(rows["target"])
    missing = [label for label in task.classes if label not in present]
    if missing:
        raise CohortError(f"task {name} needs images of {', '.join(missing)}", path=cohort.folder)
    return one_target_each(rows.reset_index(drop=True), cohort.info.label_conflicts), tuple(task.classes)


def one_target_each(rows: pd.DataFrame, conflicts: Sequence[str]) -> pd.DataFrame:
    """Count a patient who truly occurs in two classes once for each; splits still keep the person together."""
    double = rows["patient_id"].isin(conflicts)
    return rows.assign(patient_id=rows["patient_id"].mask(double, rows["patient_id"] + " (" + rows["target"] + ")"))


def make_recipe_split(cohort: Cohort, rows: pd.DataFrame, recipe: Recipe) -> Split:
    """The split that the recipe asks for."""
    table = cohort.table.set_index("image_id").loc[rows["image_id"]].reset_index()
    fold_files = recipe.fold_files or cohort.folds_folder
    return make_split(
        table,
        recipe.split,
        folds=recipe.folds,
        seed=recipe.seed,
        validation_fraction=recipe.validation_fraction,
        targets=rows["target"].set_axis(table.index),
        fold_files=fold_files if recipe.split == "published" else None,
    )


def _chosen_folds(split: Split, only: Sequence[int] | None) -> list[int]:
    known = sorted(int(fold) for fold in split.table["fold"].unique())
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise UsageError(f"the split has folds {known}, not {unknown}")
    return known if only is None else sorted(set(only))


def _facts(cohort: Cohort, recipe: Recipe, classes: tuple[str, ...], split: Split, command: str) -> dict[str, Any]:
    info = cohort.info
    return {
        "format": RUN_FORMAT,
        "status": "begun",
        "command": command,
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "cohort": {
            "name": info.name,
            "source": info.source,
            "licence": info.licence,
            "content_hash": info.content_hash,
            "simulated": info.simulated,
            "images": len(cohort.table),
            "patients": int(cohort.table["patient_id"].nunique()),
            "label_conflicts": list(info.label_conflicts),
        },
        "task": recipe.task,
        "classes": list(classes),
        "split": {
            "kind": split.kind,
            "leaks": split.leaks,
            "folds": int(split.table["fold"].nunique()),
            "seed": recipe.seed,
            "overlap": [fold.to_dict() for fold in split.overlap],
        },
        "model": model_facts(recipe, len(classes)),
    }


def model_facts(recipe: Recipe, classes: int) -> dict[str, Any]:
    """Name, start and cost of the recipe's model; an estimator has neither parameters nor MACs to count."""
    named: dict[str, Any] = {"name": recipe.model, "pretrained": recipe.pretrained}
    if recipe.teacher is not None:
        named["teacher"] = _teacher_facts(recipe.teacher)
    if recipe.pretrained:
        named["started_from"] = started_from(recipe.model)
    if model_kind(recipe.model) == "estimator":
        return named | {"kind": "estimator", "params": None, "macs": None, "macs_input": None}
    network = create_model(recipe.model, num_classes=classes, pretrained=recipe.pretrained, **recipe.model_options)
    cost = measure_cost(network)
    return named | {
        "kind": "network", "params": cost.params, "macs": cost.macs, "macs_input": list(cost.input_shape),
    }  # fmt: skip


def _teacher_facts(teacher: Teacher) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": teacher.model, "pretrained": teacher.pretrained}
    if teacher.pretrained:
        facts["started_from"] = started_from(teacher.model)
    return facts | ({"members": teacher.members} if teacher.members > 1 else {})


def started_from(model: str) -> str:
    """What the pretrained weights of a network were learned from, for run, report and model file."""
    if model in list_models() and record(model).weights == "shipped":
        return starting_weights_facts(model)["learned_from"]
    return "ImageNet weights"


def _begin(folder: Path, recipe: Recipe, facts: dict[str, Any], split: Split) -> dict[str, Any]:
    if (folder / "run.json").exists():
        begun = Run.open(folder)
        if begun.recipe != recipe or begun.facts["cohort"]["content_hash"] != facts["cohort"]["content_hash"]:
            raise RunError(
                "holds a run of another recipe or cohort", path=folder, remedy="Choose another folder with --out"
            )
        _check_same_split(folder, split)
        return begun.facts
    if folder.exists() and any(folder.iterdir()):
        raise RunError("is neither empty nor a run folder", path=folder, remedy="Choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    write_parquet(split.table, folder / "splits.parquet")
    write_json(facts, folder / "run.json")
    return facts


def _check_same_split(folder: Path, split: Split) -> None:
    """Fold files may have changed, and images of a leaking split been dealt anew: folds of two splits do not mix."""
    begun = pd.read_parquet(folder / "splits.parquet")
    for fold in sorted({*begun["fold"], *split.table["fold"]}):
        if fold_sha256(begun, fold) != fold_sha256(split.table, fold):
            raise RunError(
                f"was begun with another split: fold {fold} has other images or roles now",
                path=folder,
                remedy="Choose another folder with --out",
            )


def _finish(folder: Path, facts: dict[str, Any], classes: tuple[str, ...], split: Split) -> tuple[Run, Evaluation]:
    """Put together what all finished folds predicted, those of earlier calls too."""
    finished = Run.open(folder)
    parts = [pd.read_parquet(finished.fold_folder(fold) / "predictions.parquet") for fold in finished.folds]
    predictions = pd.concat(parts, ignore_index=True)
    write_parquet(predictions, folder / "predictions.parquet")
    complete = set(predictions["fold"]) == set(split.table["fold"])
    facts = facts | {"status": "finished" if complete else "some folds finished"}
    evaluation = evaluate(predictions, classes=classes, split=facts["split"])
    write_json(evaluation.to_dict(), folder / "metrics.json")
    write_json(facts, folder / "run.json")
    if complete:
        discard_inputs(folder / "inputs.npy")
        for shared in folder.glob("engineered_*.npy"):
            shared.unlink(missing_ok=True)
    return Run.open(folder), evaluation
