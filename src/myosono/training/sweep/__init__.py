"""Sweeps: many networks, recipes, tasks, splits and seeds on one cohort, a cell each, stored as they finish."""

from __future__ import annotations

from myosono.training.sweep.board import SweepBoard
from myosono.training.sweep.cells import Cell, Contest, plan_cells
from myosono.training.sweep.collect import collect_entries, condition_of, contender_of
from myosono.training.sweep.entrants import Entrant, order_entrants
from myosono.training.sweep.pools import InProcess, Pool, Processes, RayTasks
from myosono.training.sweep.run import SweepResult, run_sweep
from myosono.training.sweep.store import CellStore

__all__ = [
    "Cell",
    "CellStore",
    "Contest",
    "Entrant",
    "InProcess",
    "Pool",
    "Processes",
    "RayTasks",
    "SweepBoard",
    "SweepResult",
    "collect_entries",
    "condition_of",
    "contender_of",
    "order_entrants",
    "plan_cells",
    "run_sweep",
]
