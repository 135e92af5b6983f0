"""The recipe that suits a peer best, chosen on validation patients: `results/recipe_choice.csv`.

Every peer is fitted under each published-style recipe on fold 0 of both sets (stages `recipe-choice`). The recipe of
the lowest mean validation loss of patients is then run on all folds (stages with `recipes: chosen`). No test
prediction is looked at; in cross-validation those patients are tested in other folds, which can only favour the peers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from myosono.training.module import MONITOR
from myosono.training.sweep import Cell, CellStore

COLUMNS = ["model", "pretrained", "recipe", "benchmark", "fold", "epochs", "best_epoch", MONITOR, "cell"]


def write_choice(cells: Sequence[Cell], store: CellStore, path: Path) -> pd.DataFrame:
    """Write a row for each finished cell; rows of cells that were fitted on another machine stay while planned."""
    rows = [_row(cell, store) for cell in cells if store.facts(cell) is not None]
    fresh = pd.DataFrame(rows, columns=COLUMNS)
    if path.exists():
        before = pd.read_csv(path)
        planned = {cell.key for cell in cells} - set(fresh["cell"])
        fresh = pd.concat([fresh, before[before["cell"].isin(planned)]])
    table = fresh.sort_values(COLUMNS[:5], ignore_index=True)
    table.to_csv(path, index=False)
    return table


def _row(cell: Cell, store: CellStore) -> list[object]:
    facts = json.loads((store.folder_of(cell) / "fold.json").read_text(encoding="utf-8"))
    who = [cell.recipe.model, cell.recipe.pretrained, cell.recipe_name, cell.contest.cohort.info.name, cell.fold]
    return [*who, facts["epochs"], facts["best_epoch"], round(facts[MONITOR], 6), cell.key]


def chosen_recipes(table: pd.DataFrame, recipes: int, benchmarks: int) -> dict[tuple[str, bool], str]:
    """By model and start the recipe of the lowest mean loss; without those that lack a recipe or a benchmark.

    Parameters
    ----------
    table
        From `write_choice`.
    recipes, benchmarks
        How many of each must be there.
    """
    found = {}
    for (model, pretrained), rows in table.groupby(["model", "pretrained"]):
        losses = rows.pivot_table(index="recipe", columns="benchmark", values=MONITOR)
        if losses.shape == (recipes, benchmarks) and not losses.isna().any(axis=None):
            found[str(model), bool(pretrained)] = str(losses.mean(axis=1).idxmin())
    return found
