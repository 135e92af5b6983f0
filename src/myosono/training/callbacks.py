"""What is seen and kept while a fold trains: one line an epoch, and a CSV that survives a kill."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from rich.console import Console
from rich.progress import Progress, TaskID

from myosono.training.module import MONITOR

COLUMNS = ("epoch", "train_loss", "val_loss", MONITOR, "val_patient_balanced_accuracy", "seconds", "images_per_second")


class EpochLog(pl.Callback):
    """Writes ``log.csv``, a row an epoch; travels in the checkpoint, so a resumed log is whole.

    Parameters
    ----------
    path
        The CSV file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._started, self._seconds = 0.0, 0.0
        self._images, self._loss = 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Rows of the epochs before the kill."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started, self._images, self._loss = time.perf_counter(), 0, 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count images and sum their loss: Lightning's own mean comes only after validation."""
        self._images += len(batch[0])
        self._loss += float(outputs["loss"]) * len(batch[0])

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock: validation is not training."""
        self._seconds = time.perf_counter() - self._started

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Append the epoch; here, before the checkpoint callback writes its state."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row: dict[str, float] = {"epoch": trainer.current_epoch, "train_loss": round(self._loss / self._images, 6)}
        row |= {name: round(metrics[name], 6) for name in COLUMNS[2:] if name in metrics}
        row |= {"seconds": round(self._seconds, 2), "images_per_second": round(self._images / self._seconds, 1)}
        self.rows.append(row)
        pd.DataFrame(self.rows, columns=list(COLUMNS)).to_csv(self.path, index=False)


class EpochProgress(pl.Callback):
    """Moves a progress bar batch by batch; where there is no terminal, prints a line an epoch.

    Parameters
    ----------
    bar, task
        The Rich display and its task, counted in batches.
    title
        For example ``fold 1 (2 of 5)``.
    """

    def __init__(self, bar: Progress, task: TaskID, title: str, *, quiet: bool) -> None:
        self.bar, self.task, self.title, self.quiet = bar, task, title, quiet

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the length, with the epochs that a resumed run has behind it."""
        batches = int(trainer.num_training_batches)
        done = trainer.current_epoch * batches
        self.bar.update(self.task, total=(trainer.max_epochs or 1) * batches, completed=done, description=self.title)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One batch done."""
        self.bar.advance(self.task)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch's figures."""
        metrics = trainer.callback_metrics
        balanced, loss = metrics.get("val_patient_balanced_accuracy"), metrics.get(MONITOR)
        if balanced is None or loss is None:
            return
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        figures = f"validation patients' balanced accuracy {float(balanced):.2f}, loss {float(loss):.3f}"
        if self.bar.console.is_terminal:
            self.bar.update(self.task, description=f"{self.title} {epoch} balanced accuracy {float(balanced):.2f}")
        elif not self.quiet:
            Console(stderr=True, soft_wrap=True).print(f"{self.title}, {epoch}: {figures}", highlight=False)
            sys.stderr.flush()
