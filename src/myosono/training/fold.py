"""Fit one fold and predict its validation and test rows; a finished fold is never fitted again."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import torch
from rich.progress import Progress

from myosono.errors import RecipeError
from myosono.locking import alone
from myosono.networks import model_kind
from myosono.training.data import ImageRows, ordered_batches
from myosono.training.distillation.teach import prepare_lessons, teacher_facts
from myosono.training.engineered import fit_forest
from myosono.training.fitting import fold_facts, load_best, train_network, training_views
from myosono.training.fold_task import FoldTask, identity_columns, predictions_table, write_json, write_parquet
from myosono.training.module import Classifier

__all__ = [
    "FoldTask",
    "fit_fold",
    "fit_network",
    "identity_columns",
    "predictions_table",
    "write_json",
    "write_parquet",
]


def fit_fold(task: FoldTask, bar: Progress) -> pd.DataFrame:
    """Fit the recipe's model, network or estimator, and predict; a network resumes what was begun.

    Returns
    -------
    DataFrame
        Predictions table of this fold, roles ``validation`` and ``test``.

    Raises
    ------
    ModelError
        If the recipe's model or its options do not exist, or its teacher is an estimator.
    RecipeError
        If an estimator is to learn from a teacher or from mixed images.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    with alone(task.folder / ".lock"):  # else the weights of one process may end beside the predictions of another
        return _fit(task, bar)


def _fit(task: FoldTask, bar: Progress) -> pd.DataFrame:
    finished, kept = task.folder / "fold.json", task.folder / "predictions.parquet"
    if finished.exists() and kept.exists():
        return pd.read_parquet(kept)
    started = time.perf_counter()
    estimator = model_kind(task.recipe.model) == "estimator"
    if estimator and (task.recipe.teacher or task.recipe.mixup):
        raise RecipeError(
            f"{task.recipe.model} is an estimator: it learns from no teacher and from no mixed images",
            remedy="Leave teacher and mixup out of the recipe",
        )
    fit = fit_forest if estimator else fit_network
    predictions, facts = fit(task, bar)
    write_parquet(predictions, kept)
    write_json({"fold": task.fold} | facts | {"seconds": round(time.perf_counter() - started, 1)}, finished)
    return predictions


def fit_network(task: FoldTask, bar: Progress) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train, keep the best epoch by patient-level validation loss, predict; also what is worth keeping of it."""
    recipe = task.recipe
    views = training_views(task) if recipe.mixup or recipe.teacher else None
    lessons = prepare_lessons(task, views, bar) if views is not None and recipe.teacher else None
    module = train_network(task, bar, views=views, lessons=lessons)
    load_best(task, module)
    facts = fold_facts(task)
    if lessons is not None:
        facts["teacher"] = teacher_facts(task)
    return predict_rows(task, module), facts


@torch.no_grad()
def predict_rows(task: FoldTask, module: Classifier) -> pd.DataFrame:
    """Probabilities of the validation and test rows, uncalibrated."""
    indices = task.held_out
    module.eval().cpu()
    rows = ImageRows(task.inputs, indices, task.targets(indices))
    logits = torch.cat([module(images) for images, _, _ in ordered_batches(rows, 2 * task.recipe.batch_size)])
    return predictions_table(task, indices, torch.softmax(logits.double(), dim=1).numpy())
