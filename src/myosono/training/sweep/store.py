"""The store of a sweep: one folder a cell, named by its content hash; a finished cell is never fitted again."""

from __future__ import annotations

import json
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.hashing import sha256_file, sha256_lines
from myosono.locking import alone
from myosono.training.fold import write_json
from myosono.training.sweep.cells import Cell

_FACTS, _ERROR, _PREDICTIONS = "cell.json", "error.json", "predictions.parquet"


@dataclass(frozen=True, eq=False)
class CellStore:
    """Cells below one folder.

    Parameters
    ----------
    folder
        ``cells/`` and ``inputs/`` are kept in it; made when something is written.
    """

    folder: Path

    def folder_of(self, cell: Cell) -> Path:
        """Where a cell's files are, or will be."""
        return self.folder / "cells" / cell.key

    def inputs_of(self, cell: Cell) -> Path:
        """The prepared inputs that all cells of a cohort and size share; of rows in another order others."""
        cohort = cell.contest.cohort
        rows = sha256_lines(cohort.table["image_id"].astype(str))[:8]
        return self.folder / "inputs" / f"{cohort.info.content_hash[:16]}_{rows}_{cell.recipe.size}.npy"

    def facts(self, cell: Cell) -> dict[str, Any] | None:
        """Facts of a finished cell; None if it is not finished, or damaged."""
        return finished_facts(self.folder_of(cell))

    def is_being_fitted(self, cell: Cell) -> bool:
        """Whether a process works on a cell now, this one or another."""
        lock = lock_of(self.folder_of(cell))
        if not lock.exists():
            return False
        with alone(lock, wait=False) as free:
            return not free

    def predictions(self, cell: Cell) -> pd.DataFrame:
        """Predictions table of a finished cell, roles ``validation`` and ``test``."""
        return pd.read_parquet(self.folder_of(cell) / _PREDICTIONS)

    def error(self, cell: Cell) -> str | None:
        """Why the last attempt at a cell failed, if it did."""
        found = _read(self.folder_of(cell) / _ERROR)
        return None if found is None else str(found.get("error"))

    def epochs(self, cell: Cell) -> int:
        """Epochs that an unfinished cell has behind it."""
        log = self.folder_of(cell) / "log.csv"
        try:
            return max(0, len(log.read_text(encoding="utf-8").splitlines()) - 1)
        except OSError:
            return 0  # it has not begun

    def discard_inputs(self) -> None:
        """Remove the prepared inputs, which are large and quickly made again."""
        shutil.rmtree(self.folder / "inputs", ignore_errors=True)


def finished_facts(folder: Path) -> dict[str, Any] | None:
    """As `CellStore.facts`, by the cell's folder."""
    found = _read(folder / _FACTS)
    kept = folder / _PREDICTIONS
    if found is None or not kept.is_file() or found.get("predictions_sha256") != sha256_file(kept):
        return None
    return found


def lock_of(folder: Path) -> Path:
    """The lock of a cell: beside its folder, which is emptied when a damaged cell is fitted anew."""
    return folder.parent / f".{folder.name}.lock"


def clear_damage(folder: Path) -> None:
    """Before a cell is fitted: drop what a kill or a bad disk left half-written, keep an epoch that can be resumed."""
    for name in (_FACTS, _ERROR, _PREDICTIONS, "fold.json"):
        (folder / name).unlink(missing_ok=True)
    for last in (folder / "teacher" / "last.ckpt", folder / "last.ckpt"):
        if last.exists() and not zipfile.is_zipfile(last):
            shutil.rmtree(last.parent)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Mark a cell as finished: its facts are written last and carry the hash of its predictions.

    Checkpoints go: a sweep of hundreds of cells would fill the disk with them.
    """
    for checkpoint in folder.rglob("*.ckpt"):
        checkpoint.unlink()
    write_json({**facts, "predictions_sha256": sha256_file(folder / _PREDICTIONS)}, folder / _FACTS)


def write_error(folder: Path, error: str) -> None:
    """Record why a cell failed; on a full disk it is told all the same, and not recorded."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_json({"error": error}, folder / _ERROR)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # absent or damaged: both mean that the cell is to be fitted
    return found if isinstance(found, dict) else None
