"""Fit a fold's teacher and write down its answers; what is written is never computed again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from myosono.errors import ModelError
from myosono.networks import model_kind
from myosono.training.distillation.lessons import Lessons
from myosono.training.fitting import fold_facts, load_best, make_classifier, train_network
from myosono.training.fold_task import FoldTask, write_json
from myosono.training.module import Classifier
from myosono.training.views import Views

FOLDER = "teacher"
"""Below a fold's folder."""

_FACTS = "fold.json"


def prepare_lessons(task: FoldTask, views: Views, bar: Progress) -> Lessons:
    """Fit the recipe's teacher on the fold's training patients and keep its answers to the student's views.

    Members of a teacher of several differ in their seed: in their order of images and their augmentation, and in their
    first weights where these are drawn. Each one's epoch is chosen on the fold's validation patients, as the student's
    is; it never sees a test image.

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
    teacher = task.recipe.teacher
    if teacher is None:
        raise ValueError("the recipe has no teacher")
    folder = task.folder / FOLDER
    kept = folder / "logits.npy"
    shape = (len(views.data), teacher.views, len(task.classes))
    found = _kept_answers(kept)
    if found is not None and found.shape == shape:
        return Lessons(views, found)
    members = [_fitted(member, bar) for member in _member_tasks(task)]
    logits = _answers(members, views, shape, bar, task.recipe.batch_size)
    partial = folder / "logits.partial.npy"
    np.save(partial, logits)
    partial.replace(kept)
    for unneeded in folder.rglob("last.ckpt"):  # only a training that is to be resumed needs it
        unneeded.unlink()
    return Lessons(views, logits)


def _member_tasks(task: FoldTask) -> list[FoldTask]:
    """The fold as each member of the teacher sees it; a teacher of one has no folders within its own."""
    assert task.recipe.teacher is not None
    count = task.recipe.teacher.members
    tasks = []
    for member in range(count):
        recipe = task.recipe.for_teacher(member)
        assert recipe is not None
        folder = task.folder / FOLDER
        title = f"{task.title}, teacher"
        if count > 1:
            folder, title = folder / f"member_{member}", f"{title} {member + 1} of {count}"
        tasks.append(replace(task, recipe=recipe, folder=folder, title=title))
    return tasks


def teacher_facts(task: FoldTask) -> dict[str, Any]:
    """Facts of a fold's fitted teacher: what it is, its best epoch, its score on the validation patients.

    Of several members, what they are and the rest as a list, ``members``.
    """
    found = [json.loads((member.folder / _FACTS).read_text(encoding="utf-8")) for member in _member_tasks(task)]
    if len(found) == 1:
        alone: dict[str, Any] = found[0]
        return alone
    named = ("model", "pretrained")
    each = [{name: value for name, value in facts.items() if name not in named} for facts in found]
    return {name: found[0][name] for name in named} | {"members": each}


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
    task.folder.mkdir(parents=True, exist_ok=True)
    finished = task.folder / _FACTS
    module = make_classifier(task) if finished.exists() else train_network(task, bar)
    load_best(task, module)
    if not finished.exists():
        write_json({"model": task.recipe.model, "pretrained": task.recipe.pretrained} | fold_facts(task), finished)
    return module


@torch.no_grad()
def _answers(
    members: list[Classifier], views: Views, shape: tuple[int, int, int], bar: Progress, batch_size: int
) -> NDArray[np.float32]:
    """Logits of the teacher for every view; of several members, the logarithm of their mean probability."""
    for member in members:
        member.eval().cpu()
    rows = views.data.rows.tolist()
    logits = np.empty(shape, dtype=np.float32)
    step = 2 * batch_size
    progress = bar.add_task("teacher's answers", total=shape[1])
    for number in range(shape[1]):
        for start in range(0, len(rows), step):
            images = views.batch(rows[start : start + step], number).images
            logits[start : start + step, number] = _together([member(images) for member in members]).numpy()
        bar.advance(progress)
    return logits


def _together(logits: list[Tensor]) -> Tensor:
    if len(logits) == 1:
        return logits[0]
    told = torch.stack([torch.log_softmax(one, dim=1) for one in logits])
    return torch.logsumexp(told, dim=0) - math.log(len(logits))
