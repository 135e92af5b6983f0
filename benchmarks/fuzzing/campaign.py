"""Many cases of a target in a watched process: counts, failures, and where to go on."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from fuzzing.sandbox import Outcome, serve

WALL_SECONDS = 90.0
"""A case without an answer for so long hangs in a place where no signal reaches it."""
_BATCH = 200
_KEEP_SECONDS = 20.0
_KEPT = 40


@dataclass
class Tally:
    """What became of the cases of a target.

    Attributes
    ----------
    cases
        Done so far; the next run goes on from here.
    refused
        By type of error.
    failures
        The first ones: number of the case, kind, detail.
    """

    cases: int = 0
    valid: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    slowest_seconds: float = 0.0
    largest_megabytes: float = 0.0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count a case."""
        self.cases = max(self.cases, number + 1)
        self.slowest_seconds = round(max(self.slowest_seconds, outcome.seconds), 3)
        self.largest_megabytes = round(max(self.largest_megabytes, outcome.megabytes), 1)
        if outcome.kind == "valid":
            self.valid += 1
        elif outcome.kind == "refused":
            self.refused[outcome.detail] = self.refused.get(outcome.detail, 0) + 1
        else:
            self.failed[outcome.kind] = self.failed.get(outcome.kind, 0) + 1
            alike = Counter((one["kind"], one["detail"][:80]) for one in self.failures)
            if len(self.failures) < _KEPT and alike[outcome.kind, outcome.detail[:80]] < 3:
                self.failures.append({"case": number, **asdict(outcome)})


class Watched:
    """The process that runs cases; a new one takes over where one was killed."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._connection: Connection | None = None
        self._folder = ""
        self._target = ""

    def outcomes(self, target: str, seed: int, numbers: Iterable[int]) -> Iterator[tuple[int, Outcome]]:
        """Run cases in order."""
        left = list(numbers)
        while left:
            done = 0
            for number, outcome in self._batch(target, seed, left[:_BATCH]):
                yield number, outcome
                done += 1
            left = left[done:]

    def _batch(self, target: str, seed: int, numbers: list[int]) -> Iterator[tuple[int, Outcome]]:
        connection = self._connected(target)
        running = numbers[0]
        try:
            connection.send((target, seed, numbers))
            while True:
                if not connection.poll(WALL_SECONDS):
                    yield running, Outcome("hang", f"no answer for {WALL_SECONDS:.0f} s", WALL_SECONDS, 0.0)
                    return self.stop()
                answer = connection.recv()
                if answer is None:
                    return None
                running, outcome = answer
                if outcome is not None:
                    yield running, outcome
        except (EOFError, ConnectionError):
            self._process.join(10)
            detail = f"the process died with code {self._process.exitcode}"
            self.stop()
            yield running, Outcome("death", detail, 0.0, 0.0)

    def _connected(self, target: str) -> Connection:
        if self._connection is not None and self._target == target:
            return self._connection
        self.stop()
        self._folder = tempfile.mkdtemp(prefix="fuzz-")
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()
        self._target = target
        return self._connection

    def stop(self) -> None:
        """End the process and remove its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def run_target(
    target: str, seed: int, tally: Tally, until: int, *, keep: Callable[[], None], stop: Callable[[], bool]
) -> None:
    """Run the cases of a target from where its tally stands; ``keep`` is called now and then, ``stop`` after each."""
    watched, kept = Watched(), time.monotonic()
    try:
        for number, outcome in watched.outcomes(target, seed, range(tally.cases, until)):
            tally.add(number, outcome)
            if time.monotonic() - kept > _KEEP_SECONDS:
                keep()
                kept = time.monotonic()
            if stop():
                break
    finally:
        watched.stop()
        keep()
