"""Fit a fold's teacher and write down its answers; what is written is never computed again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from myosono.errors import ModelError
from myosono.networks import model_kind
from myosono.training.distillation.lessons import Lessons
from myosono.training.fitting import fold_facts, load_best, make_classifier, train_network
from myosono.training.fold_task import FoldTask, write_json
from myosono.training.module import Classifier
from myosono.training.recipe import Recipe
from myosono.training.views import Views

FOLDER = "teacher"
"""Below a fold's folder."""

_FACTS = "fold.json"


def prepare_lessons(task: FoldTask, views: Views, bar: Progress) -> Lessons:
    """Fit the recipe's teacher on the fold's training patients and keep its answers to the student's views.

    The teacher's epoch is chosen on the fold's validation patients, as the student's is; it never sees a test image.

    Parameters
    ----------
    task
        The student's fold.
    views
        The student's views.
    bar
        Shows progress.

    Returns
    -------
    Lessons
        Also in ``teacher/logits.npy`` of the fold's folder, beside the teacher's log and best checkpoint.

    Raises
    ------
    ModelError
        If the teacher is not a network.
    ValueError
        If the recipe has no teacher.
    """
    teacher, recipe = task.recipe.teacher, task.recipe.for_teacher()
    if teacher is None or recipe is None:
        raise ValueError("the recipe has no teacher")
    folder = task.folder / FOLDER
    kept = folder / "logits.npy"
    shape = (len(views.data), teacher.views, len(task.classes))
    found = _kept_answers(kept)
    if found is not None and found.shape == shape:
        return Lessons(views, found)
    folder.mkdir(parents=True, exist_ok=True)
    module = _fitted(replace(task, recipe=recipe, folder=folder, title=f"{task.title}, teacher"), bar)
    logits = _answers(module, views, shape, bar, recipe)
    partial = folder / "logits.partial.npy"
    np.save(partial, logits)
    partial.replace(kept)
    (folder / "last.ckpt").unlink(missing_ok=True)  # only a training that is to be resumed needs it
    return Lessons(views, logits)


def teacher_facts(task: FoldTask) -> dict[str, Any]:
    """Facts of a fold's fitted teacher: what it is, its best epoch, its score on the validation patients."""
    found: dict[str, Any] = json.loads((task.folder / FOLDER / _FACTS).read_text(encoding="utf-8"))
    return found


def _kept_answers(path: Path) -> NDArray[np.float32] | None:
    try:
        kept: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None  # absent or damaged: both mean that the teacher answers again
    return kept


def _fitted(task: FoldTask, bar: Progress) -> Classifier:
    if model_kind(task.recipe.model) == "estimator":
        raise ModelError(
            f"{task.recipe.model} is an estimator: it cannot be a teacher, which answers augmented images",
            remedy="Set teacher.model to a network; see myosono models",
        )
    finished = task.folder / _FACTS
    module = make_classifier(task) if finished.exists() else train_network(task, bar)
    load_best(task, module)
    if not finished.exists():
        write_json({"model": task.recipe.model, "pretrained": task.recipe.pretrained} | fold_facts(task), finished)
    return module


@torch.no_grad()
def _answers(
    module: Classifier, views: Views, shape: tuple[int, int, int], bar: Progress, recipe: Recipe
) -> NDArray[np.float32]:
    module.eval().cpu()
    rows = views.data.rows.tolist()
    logits = np.empty(shape, dtype=np.float32)
    step = 2 * recipe.batch_size
    progress = bar.add_task("teacher's answers", total=shape[1])
    for number in range(shape[1]):
        for start in range(0, len(rows), step):
            batch = views.batch(rows[start : start + step], number)
            logits[start : start + step, number] = module(batch.images).numpy()
        bar.advance(progress)
    return logits
