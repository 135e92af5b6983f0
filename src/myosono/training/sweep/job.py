"""One cell as a job that can travel to another process: fit the fold, store it, never raise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from myosono.errors import MyosonoError
from myosono.locking import alone
from myosono.provenance import machine, now, versions
from myosono.training.fold import FoldTask, fit_fold
from myosono.training.recipe import Recipe
from myosono.training.sweep.store import clear_damage, finished_facts, lock_of, write_error, write_facts


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that a worker needs, and nothing that it has to look up.

    Attributes
    ----------
    rows
        As :class:`~myosono.training.fold.FoldTask` takes them.
    inputs
        File of the prepared inputs; on a cluster it must lie where every node sees it, as must ``folder``.
    facts
        Written beside the predictions.
    """

    key: str
    recipe: Recipe
    classes: tuple[str, ...]
    rows: pd.DataFrame
    fold: int
    inputs: Path
    folder: Path
    facts: dict[str, Any]
    threads: int


@dataclass(frozen=True)
class Outcome:
    """How a job ended; ``error`` is None when it was fitted."""

    key: str
    seconds: float
    error: str | None = None


def work(job: Job) -> Outcome:
    """Fit and store one cell; whatever goes wrong in it is recorded and returned."""
    started = time.perf_counter()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(job.threads)
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(lock_of(job.folder)):
            if finished_facts(job.folder) is None:  # else another process was first
                _fit(job, started)
    except Exception as error:  # noqa: BLE001 - one cell's failure, of whatever kind, must not end the sweep
        told = str(error) if isinstance(error, MyosonoError) else f"{type(error).__name__}: {error}"
        write_error(job.folder, told)
        return Outcome(job.key, time.perf_counter() - started, told)
    finally:
        torch.set_num_threads(before)
    return Outcome(job.key, time.perf_counter() - started)


def _fit(job: Job, started: float) -> None:
    clear_damage(job.folder)
    inputs: NDArray[np.float32] = np.load(job.inputs, mmap_mode="r")
    task = FoldTask(
        recipe=job.recipe,
        classes=job.classes,
        rows=job.rows,
        inputs=inputs,
        folder=job.folder,
        fold=job.fold,
        title=job.recipe.model,
        quiet=True,
    )
    fit_fold(task, Progress(disable=True))
    seconds = time.perf_counter() - started
    where = {"threads": job.threads, "created": now(), "versions": versions(), "machine": machine()}
    write_facts(job.folder, {"key": job.key, **job.facts, "seconds": round(seconds, 1), **where})
