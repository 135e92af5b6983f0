"""From finished cells to what a comparison is made of: all folds of one model under one recipe and seed together."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from myosono.evaluation.comparison import Condition, Contender, Entry, make_entry
from myosono.evaluation.table import check_predictions
from myosono.training.sweep.cells import Cell
from myosono.training.sweep.store import CellStore


def collect_entries(cells: Sequence[Cell], store: CellStore) -> list[Entry]:
    """Entries of finished cells, in the order of the cells; what is not fitted yet is left out."""
    groups: dict[tuple[Contender, Condition, int], list[Cell]] = {}
    for cell in cells:
        if store.facts(cell) is not None:
            groups.setdefault((contender_of(cell), condition_of(cell), cell.contest.seed), []).append(cell)
    return [_entry(*key, group, store) for key, group in groups.items()]


def contender_of(cell: Cell) -> Contender:
    """Who was fitted."""
    return Contender(cell.recipe.model, cell.recipe.pretrained, cell.recipe_name)


def condition_of(cell: Cell) -> Condition:
    """On what."""
    contest = cell.contest
    return Condition(contest.cohort.info.name, contest.task, contest.split, contest.leaks)


def _entry(contender: Contender, condition: Condition, seed: int, cells: Sequence[Cell], store: CellStore) -> Entry:
    contest = cells[0].contest
    table = pd.concat([store.predictions(cell) for cell in cells], ignore_index=True)
    found = check_predictions(table, classes=contest.classes)
    return make_entry(contender, condition, seed, found, of_folds=contest.folds)
