"""One look for every progress bar; on standard error, so that ``--json`` output stays clean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


def progress_bar(*, disable: bool = False) -> Progress:
    """A Rich progress display: what, bar, count, elapsed, remaining."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=disable,
    )


def track(
    items: Iterable[Item], description: str, *, total: int | None = None, disable: bool = False
) -> Iterator[Item]:
    """Yield ``items`` behind a progress bar."""
    with progress_bar(disable=disable) as bar:
        yield from bar.track(items, total=total, description=description)
