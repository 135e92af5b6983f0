"""Train one network on one fold with Lightning: students, teachers and networks without a teacher alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from myosono.cohort.schema import files_of
from myosono.errors import RunError
from myosono.networks.preprocess import GREY_MEAN, GREY_STD
from myosono.training.augment import Augmenter
from myosono.training.callbacks import EpochLog, EpochProgress
from myosono.training.data import ImageRows, ordered_batches, training_batches
from myosono.training.distillation.lessons import Lessons
from myosono.training.fold_task import FoldTask
from myosono.training.lightning import fit, plain_trainer, silent
from myosono.training.module import MONITOR, Classifier
from myosono.training.resuming import FoldCheckpoint, FoldEarlyStopping
from myosono.training.views import Views


def image_rows(task: FoldTask, role: str) -> ImageRows:
    """Images of a role."""
    indices = task.indices(role)
    return ImageRows(task.inputs, indices, task.targets(indices))


def training_views(task: FoldTask) -> Views:
    """Numbered views of the fold's training images, augmented and mixed as the recipe says."""
    recipe = task.recipe
    augment = Augmenter(recipe.augmentation, mean=GREY_MEAN, std=GREY_STD)
    return Views(image_rows(task, "train"), augment, mixup=recipe.mixup, seed=recipe.seed, fold=task.fold)


def make_classifier(task: FoldTask, *, views: Views | None = None, lessons: Lessons | None = None) -> Classifier:
    """The untrained classifier of a fold; its weights depend on the recipe's seed and the fold alone."""
    recipe, data, classes = task.recipe, image_rows(task, "train"), len(task.classes)
    pl.seed_everything(recipe.seed * 1000 + task.fold, verbose=False)
    return Classifier(
        recipe,
        num_classes=classes,
        class_weights=class_weights(data.targets, classes) if recipe.class_weighting else torch.ones(classes),
        patients=task.rows["patient_id"].to_numpy(),
        files=np.array(files_of(task.rows), dtype=object),
        steps_per_epoch=len(training_batches(data, recipe.batch_size, recipe.seed)),
        fold=task.fold,
        views=views,
        lessons=lessons,
    )


def train_network(
    task: FoldTask, bar: Progress, *, views: Views | None = None, lessons: Lessons | None = None
) -> Classifier:
    """Train to the last epoch, from the last checkpoint if the fold was begun; checkpoints are left in its folder.

    Parameters
    ----------
    task
        The fold.
    bar
        Shows progress.
    views
        Train on these views; None: on fresh augmentations.
    lessons
        The teacher's answers to ``views``.
    """
    recipe = task.recipe
    module = make_classifier(task, views=views, lessons=lessons)
    progress = bar.add_task(task.title, total=None)
    last = task.folder / "last.ckpt"
    with silent():
        fit(
            _trainer(task, EpochProgress(bar, progress, task.title, quiet=task.quiet)),
            module,
            training_batches(image_rows(task, "train"), recipe.batch_size, recipe.seed),
            ordered_batches(image_rows(task, "validation"), 2 * recipe.batch_size),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False if last.exists() else None,
        )
    bar.update(progress, completed=bar.tasks[progress].total or 0)
    return module


def load_best(task: FoldTask, module: Classifier) -> None:
    """Give a classifier the weights of the epoch that was kept.

    Raises
    ------
    RunError
        If there is no checkpoint.
    """
    best = task.folder / "best.ckpt"
    if not best.exists():
        raise RunError("training left no checkpoint", path=task.folder, remedy="Train again into another folder")
    module.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])


def fold_facts(task: FoldTask) -> dict[str, Any]:
    """What is worth keeping of a training: its length, the epoch that was kept and that epoch's score, its speed."""
    log = pd.read_csv(task.folder / "log.csv")
    kept = log.iloc[int(log[MONITOR].argmin()) if task.recipe.keep == "best" else -1]
    return {
        "epochs": len(log),
        "best_epoch": int(kept["epoch"]),
        MONITOR: float(kept[MONITOR]),
        "images_per_second": float(log["images_per_second"].median()),
    }


def _trainer(task: FoldTask, progress: EpochProgress) -> pl.Trainer:
    recipe = task.recipe
    common: dict[str, Any] = {"enable_version_counter": False, "save_on_train_epoch_end": False}
    choosing: list[pl.Callback]
    if recipe.keep == "best":
        choosing = [
            FoldEarlyStopping(MONITOR, patience=recipe.patience, mode="min", check_on_train_epoch_end=False),
            FoldCheckpoint(task.folder, filename="best", monitor=MONITOR, mode="min", **common),
            # save_last would write only when the best is written; what resumes needs every epoch
            FoldCheckpoint(task.folder, filename="last", **common),
        ]
    else:
        # The file is called best here too: it is the one to predict with.
        choosing = [FoldCheckpoint(task.folder, filename="best", save_last=True, **common)]
    return plain_trainer(
        recipe.epochs,
        accelerator="auto",
        devices=1,
        num_sanity_val_steps=0,
        gradient_clip_val=5.0,
        callbacks=[EpochLog(task.folder / "log.csv"), progress, *choosing],
    )


def class_weights(targets: NDArray[np.intp], classes: int) -> torch.Tensor:
    """Inverse class frequency, with mean 1 over images; 0 for a class that is absent."""
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    weights = np.divide(len(targets), classes * counts, out=np.zeros(classes), where=counts > 0)
    return torch.tensor(weights, dtype=torch.float32)
