"""What one fold is given and what it leaves: shared by every kind of model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.training.recipe import Recipe

IDENTITY = ("image_id", "patient_id", "muscle", "side", "device")
"""Cohort columns that a predictions table carries along; ``clip`` too, where the cohort has it."""


def identity_columns(table: pd.DataFrame) -> list[str]:
    """`IDENTITY`, and ``clip`` if the table has it."""
    return [*IDENTITY, *(["clip"] if "clip" in table else [])]


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

    @property
    def held_out(self) -> NDArray[np.intp]:
        """Rows to predict: validation, then test."""
        return np.concatenate([self.indices("validation"), self.indices("test")])


def predictions_table(task: FoldTask, indices: NDArray[np.intp], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """The predictions table of some rows of a fold.

    Parameters
    ----------
    task
        The fold.
    indices
        Rows of ``task.rows``.
    probabilities
        ``(rows, classes)``, uncalibrated.
    """
    identity = identity_columns(task.rows)
    table = task.rows.iloc[indices][[*identity, "role", "target"]].reset_index(drop=True)
    table.insert(len(identity), "fold", task.fold)
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
