"""What a run folder says about itself, as far as it says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.cohort.tasks import default_task
from myosono.errors import DAMAGED_TEXT, RunError
from myosono.hashing import sha256_file

_HASHED = ("predictions.parquet", "splits.parquet", "recipe.yaml")


@dataclass(frozen=True)
class RunFacts:
    """Everything around an evaluation that a report shows; all of it optional.

    Attributes
    ----------
    run
        ``run.json``: command, created, versions, machine, cohort, task, model, split, status.
    recipe
        Text of ``recipe.yaml``.
    hashes
        SHA-256 by file name.
    logs
        Training log by fold.
    source
        Name of a predictions file from another tool.
    """

    run: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    source: str | None = None

    def part(self, key: str) -> Mapping[str, Any]:
        """A nested part of ``run.json``; empty if absent."""
        found = self.run.get(key)
        return found if isinstance(found, Mapping) else {}

    @property
    def task(self) -> str | None:
        """The task by its name, also where the recipe left it to the cohort's labels (``auto``)."""
        return _task(self.run)


def _task(run: Mapping[str, Any]) -> str | None:
    task, classes = run.get("task"), run.get("classes")
    if task == "auto" and isinstance(classes, list) and classes:
        return default_task(classes)
    return None if task is None else str(task)


def read_run_facts(folder: Path) -> RunFacts:
    """Read what there is in a run folder.

    Raises
    ------
    RunError
        If a file is there but damaged.
    """
    recipe = folder / "recipe.yaml"
    try:
        return RunFacts(
            run=_read_manifest(folder / "run.json"),
            recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else None,
            hashes={name: sha256_file(folder / name) for name in _HASHED if (folder / name).is_file()},
            logs=_read_logs(folder),
        )
    except OSError as error:
        raise RunError(f"cannot be read ({error.strerror})", path=folder) from error


def _read_manifest(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except DAMAGED_TEXT as error:
        raise RunError(f"is damaged ({error})", path=path) from error
    if not isinstance(found, dict):
        raise RunError("is damaged (not a JSON object)", path=path)
    return found


def _read_logs(folder: Path) -> dict[str, pd.DataFrame]:
    logs = {}
    for path in sorted(folder.glob("fold_*/log.csv")):
        try:
            logs[path.parent.name.removeprefix("fold_")] = pd.read_csv(path)
        except (ValueError, pd.errors.EmptyDataError):
            continue  # a fold that has not finished its first epoch has no curve
    return logs
