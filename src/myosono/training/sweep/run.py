"""Fit the cells of a sweep that are not fitted yet, as many at once as the pool has room for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from myosono.training.inputs import prepare_inputs
from myosono.training.sweep.board import SweepBoard
from myosono.training.sweep.cells import Cell
from myosono.training.sweep.job import Job, Outcome
from myosono.training.sweep.pools import Pool
from myosono.training.sweep.store import CellStore, write_error

_POLL_SECONDS = 1.0
_ATTEMPTS = 2


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended.

    Attributes
    ----------
    fitted, kept
        Cells fitted now, and found fitted.
    left
        Cells that the time budget did not reach.
    failed
        Error of each cell that failed now, by the cell's title.
    """

    fitted: int
    kept: int
    left: int
    failed: dict[str, str]


def run_sweep(
    cells: Sequence[Cell],
    store: CellStore,
    pool: Pool,
    *,
    threads: int = 1,
    command: str = "",
    budget_seconds: float | None = None,
    quiet: bool = False,
) -> SweepResult:
    """Fit cells in their order; what the store holds is kept, and a failed cell does not stop the others.

    Of cells that are alike one is fitted. A cell that another process fits comes last, and is not fitted again.

    Parameters
    ----------
    cells
        From :func:`~myosono.training.sweep.plan_cells`.
    store
        Where finished cells are, and go.
    pool
        Where they are fitted. It is closed at the end, also after an interrupt.
    threads
        Processor threads of each cell.
    command
        What the user typed, for the record.
    budget_seconds
        No cell is begun after this; those that run are finished.
    """
    cells = list({cell.key: cell for cell in reversed(cells)}.values())[::-1]  # of those alike the first
    pending = deque(cell for cell in cells if store.facts(cell) is None)
    kept = len(cells) - len(pending)
    _prepare(pending, store, quiet=quiet)
    deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
    known = [(cell, facts["seconds"]) for cell in cells if (facts := store.facts(cell)) is not None]
    board = SweepBoard(len(cells), known, slots=pool.slots, quiet=quiet)
    running: dict[Any, Cell] = {}
    attempts: dict[str, int] = {}
    try:
        with board:
            while pending or running:
                while pending and len(running) < pool.slots and (deadline is None or time.monotonic() < deadline):
                    cell = _next(pending, store)
                    if not _may_join(cell, running.values(), attempts):
                        pending.appendleft(cell)
                        break
                    if store.facts(cell) is not None:
                        board.found()
                        kept += 1
                        continue
                    running[pool.submit(_job(cell, store, threads, command))] = cell
                    board.show(running.values(), pending)
                if not running:
                    break
                for handle, outcome in pool.wait(list(running), _POLL_SECONDS):
                    cell = running.pop(handle)
                    attempts[cell.key] = attempts.get(cell.key, 0) + 1
                    if outcome is None and attempts[cell.key] < _ATTEMPTS:
                        pending.appendleft(cell)  # its worker died, perhaps for another's sake
                        continue
                    board.ended(cell, outcome or _lost(cell, store))
                board.show(running.values(), pending)
    finally:
        pool.close()
    return SweepResult(board.fitted, kept, len(pending), dict(board.failed))


def _next(pending: deque[Cell], store: CellStore) -> Cell:
    """The first cell that no other process is fitting; the first of all if every one is being fitted."""
    place = next((place for place, cell in enumerate(pending) if not store.is_being_fitted(cell)), 0)
    cell = pending[place]
    del pending[place]
    return cell


def _may_join(cell: Cell, running: Iterable[Cell], attempts: Mapping[str, int]) -> bool:
    """A cell whose worker died is tried again alone: what ran beside it died with it, and must not die twice."""
    beside = list(running)
    return not beside or not (attempts.get(cell.key) or any(attempts.get(other.key) for other in beside))


def _prepare(cells: Sequence[Cell] | deque[Cell], store: CellStore, *, quiet: bool) -> None:
    for path, cell in {store.inputs_of(cell): cell for cell in cells}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        cohort = cell.contest.cohort
        prepare_inputs(cohort, cohort.table["image_id"].tolist(), cell.recipe.size, path, quiet=quiet)


def _job(cell: Cell, store: CellStore, threads: int, command: str) -> Job:
    contest = cell.contest
    facts = {
        "command": command,
        "cohort": contest.cohort.info.name,
        "cohort_hash": contest.cohort.info.content_hash,
        "simulated": contest.cohort.info.simulated,
        "task": contest.task,
        "split": contest.split,
        "leaks": contest.leaks,
        "folds": contest.folds,
        "fold": cell.fold,
        "classes": list(contest.classes),
        "recipe_name": cell.recipe_name,
        "recipe": cell.recipe.model_dump(mode="json"),
        "structure": cell.structure,
    }
    return Job(
        key=cell.key,
        recipe=cell.recipe,
        classes=contest.classes,
        rows=contest.rows_of(cell.fold),
        fold=cell.fold,
        inputs=store.inputs_of(cell).resolve(),
        folder=store.folder_of(cell).resolve(),
        facts=facts,
        threads=threads,
    )


def _lost(cell: Cell, store: CellStore) -> Outcome:
    error = "the worker process died twice (out of memory?)"
    write_error(store.folder_of(cell), error)
    return Outcome(cell.key, 0.0, error)
