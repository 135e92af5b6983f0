"""Fit one fold and predict its validation and test rows; a finished fold is never fitted again."""

from __future__ import annotations

import json
import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.progress import Progress

from myosono.errors import RunError
from myosono.training.callbacks import EpochLog, EpochProgress
from myosono.training.data import ImageRows, ordered_batches, training_batches
from myosono.training.module import MONITOR, Classifier
from myosono.training.recipe import Recipe

IDENTITY = ("image_id", "patient_id", "muscle", "side", "device")
"""Cohort columns that a predictions table carries along."""


@dataclass(frozen=True)
class FoldTask:
    """All that fitting one fold needs.

    Attributes
    ----------
    rows
        The cohort's rows with ``target`` (class name) and ``role`` of this fold, aligned with ``inputs``.
    inputs
        Network inputs, ``(images, 1, size, size)``.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    rows: pd.DataFrame
    inputs: NDArray[np.float32]
    folder: Path
    fold: int
    title: str
    quiet: bool = False

    def indices(self, role: str) -> NDArray[np.intp]:
        """Rows of a role."""
        return np.flatnonzero((self.rows["role"] == role).to_numpy())

    def targets(self, indices: NDArray[np.intp]) -> NDArray[np.intp]:
        """Class index of each of these rows."""
        return self.rows["target"].iloc[indices].map(self.classes.index).to_numpy(dtype=np.intp)


def fit_fold(task: FoldTask, bar: Progress) -> pd.DataFrame:
    """Train, keep the best epoch by patient-level validation loss, predict; resume what was begun.

    Returns
    -------
    DataFrame
        Predictions table of this fold, roles ``validation`` and ``test``.
    """
    finished, kept = task.folder / "fold.json", task.folder / "predictions.parquet"
    if finished.exists() and kept.exists():
        return pd.read_parquet(kept)
    task.folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    module = _train(task, bar)
    best = task.folder / "best.ckpt"
    if not best.exists():
        raise RunError("training left no checkpoint", path=task.folder)
    module.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])
    predictions = predict_rows(task, module)
    write_parquet(predictions, kept)
    log = pd.read_csv(task.folder / "log.csv")
    best_row = log.iloc[int(log[MONITOR].argmin())]
    facts = {
        "fold": task.fold,
        "epochs": len(log),
        "best_epoch": int(best_row["epoch"]),
        MONITOR: float(best_row[MONITOR]),
        "images_per_second": float(log["images_per_second"].median()),
        "seconds": round(time.perf_counter() - started, 1),
    }
    write_json(facts, finished)
    return predictions


def _train(task: FoldTask, bar: Progress) -> Classifier:
    recipe = task.recipe
    train = task.indices("train")
    targets = task.targets(train)
    train_batches = training_batches(ImageRows(task.inputs, train, targets), recipe.batch_size, recipe.seed)
    validation = task.indices("validation")
    validation_rows = ImageRows(task.inputs, validation, task.targets(validation))
    pl.seed_everything(recipe.seed * 1000 + task.fold, verbose=False)
    module = Classifier(
        recipe,
        num_classes=len(task.classes),
        class_weights=class_weights(targets, len(task.classes))
        if recipe.class_weighting
        else torch.ones(len(task.classes)),
        patients=task.rows["patient_id"].to_numpy(),
        steps_per_epoch=len(train_batches),
        fold=task.fold,
    )
    progress = bar.add_task(task.title, total=None)
    trainer = _trainer(task, EpochProgress(bar, progress, task.title, quiet=task.quiet))
    last = task.folder / "last.ckpt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on worker counts and folders does not apply here
        trainer.fit(
            module,
            train_batches,
            ordered_batches(validation_rows, 2 * recipe.batch_size),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False if last.exists() else None,
        )
    bar.update(progress, completed=bar.tasks[progress].total or 0)
    return module


def _trainer(task: FoldTask, progress: EpochProgress) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    checkpoint = ModelCheckpoint(
        task.folder,
        filename="best",
        monitor=MONITOR,
        mode="min",
        save_last=True,
        enable_version_counter=False,
        save_on_train_epoch_end=False,
    )
    return pl.Trainer(
        max_epochs=task.recipe.epochs,
        accelerator="auto",
        devices=1,
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=5.0,
        callbacks=[
            EpochLog(task.folder / "log.csv"),
            progress,
            EarlyStopping(MONITOR, patience=task.recipe.patience, mode="min", check_on_train_epoch_end=False),
            checkpoint,
        ],
    )


def class_weights(targets: NDArray[np.intp], classes: int) -> torch.Tensor:
    """Inverse class frequency, with mean 1 over images; 0 for a class that is absent."""
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    weights = np.divide(len(targets), classes * counts, out=np.zeros(classes), where=counts > 0)
    return torch.tensor(weights, dtype=torch.float32)


@torch.no_grad()
def predict_rows(task: FoldTask, module: Classifier) -> pd.DataFrame:
    """Probabilities of the validation and test rows, uncalibrated."""
    indices = np.concatenate([task.indices("validation"), task.indices("test")])
    module.eval().cpu()
    rows = ImageRows(task.inputs, indices, task.targets(indices))
    logits = torch.cat([module(images) for images, _, _ in ordered_batches(rows, 2 * task.recipe.batch_size)])
    probabilities = torch.softmax(logits.double(), dim=1).numpy()
    table = task.rows.iloc[indices][[*IDENTITY, "role", "target"]].reset_index(drop=True)
    table.insert(len(IDENTITY), "fold", task.fold)
    for column, name in enumerate(task.classes):
        table[f"p_{name}"] = probabilities[:, column]
    return table


def write_json(value: Any, path: Path) -> None:
    """Write JSON so that a kill leaves the old file or the new one, never half of one."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """As `write_json`, for a table."""
    partial = path.with_suffix(".partial")
    table.to_parquet(partial, index=False)
    partial.replace(path)
