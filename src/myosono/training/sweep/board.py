"""The live table of a sweep: what is done, running, left and failed, and the time that remains."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from myosono.training.sweep.cells import Cell
from myosono.training.sweep.job import Outcome


class SweepBoard:
    """Counts outcomes and shows them on standard error; without a terminal, a line as each cell ends.

    Parameters
    ----------
    total
        Cells of the sweep.
    known
        Cells found fitted, with the seconds that each took: they make the first estimate.
    slots
        Cells that run at once.
    """

    def __init__(self, total: int, known: Sequence[tuple[Cell, float]], *, slots: int, quiet: bool = False) -> None:
        self.fitted = 0
        self.failed: dict[str, str] = {}
        self._total, self._kept, self._slots, self._quiet = total, len(known), slots, quiet
        self._seconds: dict[tuple[str, int], list[float]] = {}
        self._since: dict[str, float] = {}
        for cell, seconds in known:
            self._learn(cell, seconds)
        self._console = Console(stderr=True, quiet=quiet)
        self._live = Live(console=self._console, transient=True, auto_refresh=False)

    def __enter__(self) -> SweepBoard:
        if self._console.is_terminal and not self._quiet:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        """Count a cell that was fitted or failed."""
        if outcome.error is None:
            self.fitted += 1
            self._learn(cell, outcome.seconds)
        else:
            self.failed[cell.title] = outcome.error
        self._since.pop(cell.key, None)
        done = self._kept + self.fitted
        state = f"{outcome.seconds:.0f} s" if outcome.error is None else f"[red]failed:[/] {escape(outcome.error)}"
        self._console.print(f"{done} of {self._total}  {escape(cell.title)}  {state}", highlight=False)

    def found(self) -> None:
        """Count a cell that another process has fitted meanwhile."""
        self._kept += 1

    def show(self, running: Iterable[Cell], pending: Iterable[Cell]) -> None:
        """Draw the table anew."""
        running, pending = list(running), list(pending)
        for cell in running:
            self._since.setdefault(cell.key, time.monotonic())
        if self._live.is_started:
            self._live.update(self._table(running, pending), refresh=True)

    def _table(self, running: Sequence[Cell], pending: Sequence[Cell]) -> Table:
        remaining = self.seconds_left(running, pending)
        left = "unknown" if remaining is None else _clock(remaining)
        table = Table(
            title=f"{self._kept + self.fitted} done, {len(running)} running, {len(pending)} left, "
            f"{len(self.failed)} failed; time remaining {left}"
        )
        table.add_column("running")
        table.add_column("for", justify="right")
        for cell in running:
            table.add_row(escape(cell.title), _clock(time.monotonic() - self._since[cell.key]))
        return table

    def seconds_left(self, running: Sequence[Cell], pending: Sequence[Cell]) -> float | None:
        """Estimate from what cells of the same network took, or else from all; None before any is known."""
        if not self._seconds:
            return None
        elapsed = sum(time.monotonic() - self._since.get(cell.key, time.monotonic()) for cell in running)
        work = sum(self._expected(cell) for cell in [*running, *pending])
        return max(0.0, work - elapsed) / min(self._slots, max(1, len(running) + len(pending)))

    def _learn(self, cell: Cell, seconds: float) -> None:
        self._seconds.setdefault((cell.recipe.model, cell.recipe.size), []).append(seconds)

    def _expected(self, cell: Cell) -> float:
        same = self._seconds.get((cell.recipe.model, cell.recipe.size))
        known = same or [seconds for group in self._seconds.values() for seconds in group]
        return sum(known) / len(known)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
