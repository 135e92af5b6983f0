"""Fit one fold and predict its validation and test rows; a finished fold is never fitted again."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rich.progress import Progress

from myosono.errors import RunError
from myosono.networks import model_kind
from myosono.training.callbacks import EpochLog, EpochProgress
from myosono.training.data import ImageRows, ordered_batches, training_batches
from myosono.training.engineered import fit_forest
from myosono.training.fold_task import IDENTITY, FoldTask, predictions_table, write_json, write_parquet
from myosono.training.module import MONITOR, Classifier

__all__ = ["IDENTITY", "FoldTask", "fit_fold", "fit_network", "predictions_table", "write_json", "write_parquet"]


def fit_fold(task: FoldTask, bar: Progress) -> pd.DataFrame:
    """Fit the recipe's model, network or estimator, and predict; a network resumes what was begun.

    Returns
    -------
    DataFrame
        Predictions table of this fold, roles ``validation`` and ``test``.

    Raises
    ------
    ModelError
        If the recipe's model or its options do not exist.
    """
    finished, kept = task.folder / "fold.json", task.folder / "predictions.parquet"
    if finished.exists() and kept.exists():
        return pd.read_parquet(kept)
    task.folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    fit = fit_forest if model_kind(task.recipe.model) == "estimator" else fit_network
    predictions, facts = fit(task, bar)
    write_parquet(predictions, kept)
    write_json({"fold": task.fold} | facts | {"seconds": round(time.perf_counter() - started, 1)}, finished)
    return predictions


def fit_network(task: FoldTask, bar: Progress) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train, keep the best epoch by patient-level validation loss, predict; also what is worth keeping of it."""
    module = _train(task, bar)
    best = task.folder / "best.ckpt"
    if not best.exists():
        raise RunError("training left no checkpoint", path=task.folder)
    module.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])
    log = pd.read_csv(task.folder / "log.csv")
    best_row = log.iloc[int(log[MONITOR].argmin())]
    facts = {
        "epochs": len(log),
        "best_epoch": int(best_row["epoch"]),
        MONITOR: float(best_row[MONITOR]),
        "images_per_second": float(log["images_per_second"].median()),
    }
    return predict_rows(task, module), facts


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
    indices = task.held_out
    module.eval().cpu()
    rows = ImageRows(task.inputs, indices, task.targets(indices))
    logits = torch.cat([module(images) for images, _, _ in ordered_batches(rows, 2 * task.recipe.batch_size)])
    return predictions_table(task, indices, torch.softmax(logits.double(), dim=1).numpy())
