"""The run folder: what a training decided and found, readable by a later version of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.errors import DAMAGED_TEXT, RunError
from myosono.formats import RUN_FORMAT
from myosono.training.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes
    ----------
    path
        The folder.
    facts
        ``run.json``: format, command, versions, cohort, task, classes, split, model, status.
    recipe
        ``recipe.yaml``.
    """

    path: Path
    facts: dict[str, Any]
    recipe: Recipe

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open and check a run folder.

        Raises
        ------
        RunError
            If the folder is no run, is damaged, or was written by another version of the format.
        """
        folder = Path(path)
        manifest = folder / "run.json"
        if not manifest.is_file():
            raise RunError(
                "is not a run folder: run.json is missing", path=folder, remedy="Make one with: myosono train"
            )
        try:
            facts = json.loads(manifest.read_text(encoding="utf-8"))
        except DAMAGED_TEXT as error:
            raise RunError(f"run.json is damaged: {error}", path=manifest) from error
        found = facts.get("format") if isinstance(facts, dict) else None
        if found != RUN_FORMAT:
            raise RunError(
                f"run folder of format {found}; this version reads format {RUN_FORMAT}",
                path=folder,
                remedy="Train again, or use the version of myosono that wrote it",
            )
        return cls(path=folder, facts=facts, recipe=load_recipe(folder / "recipe.yaml"))

    @property
    def classes(self) -> tuple[str, ...]:
        """Target classes, in order."""
        return tuple(self.facts["classes"])

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds that are finished, in order."""
        return tuple(sorted(int(p.parent.name.removeprefix("fold_")) for p in self.path.glob("fold_*/fold.json")))

    def fold_folder(self, fold: int) -> Path:
        """Folder of one fold."""
        return self.path / f"fold_{fold}"

    def checkpoint(self, fold: int) -> Path:
        """Best checkpoint of a finished fold.

        Raises
        ------
        RunError
            If the fold is not finished.
        """
        if fold not in self.folds:
            raise RunError(f"fold {fold} is not finished; finished are {list(self.folds)}", path=self.path)
        return self.fold_folder(fold) / "best.ckpt"

    def predictions(self) -> pd.DataFrame:
        """The predictions table of all finished folds.

        Raises
        ------
        RunError
            If there is none yet.
        """
        path = self.path / "predictions.parquet"
        if not path.is_file():
            raise RunError(
                "holds no predictions yet", path=self.path, remedy="Finish it with the same myosono train command"
            )
        return pd.read_parquet(path)
