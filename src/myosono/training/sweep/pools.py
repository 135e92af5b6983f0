"""Where cells are fitted: in this process, in worker processes of this machine, or as Ray tasks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from myosono.errors import UsageError
from myosono.extras import require
from myosono.training.sweep.job import Job, Outcome, work


class Pool(Protocol):
    """Takes jobs and gives back outcomes, in whatever order they end."""

    slots: int
    """Jobs that may run at once."""

    def submit(self, job: Job) -> Any:
        """Start a job; returns a handle."""

    def wait(self, handles: Sequence[Any], timeout: float) -> list[tuple[Any, Outcome | None]]:
        """Handles that ended within ``timeout`` seconds; None for a job whose worker died."""

    def close(self) -> None:
        """Give everything back; jobs that still run are ended."""


class InProcess:
    """One job at a time, here; `submit` returns when it is done."""

    slots = 1

    def submit(self, job: Job) -> Outcome:
        """Fit the cell."""
        return work(job)

    def wait(self, handles: Sequence[Outcome], timeout: float) -> list[tuple[Outcome, Outcome | None]]:
        """All of them: they ended when they were submitted."""
        return [(handle, handle) for handle in handles]

    def close(self) -> None:
        """Nothing to give back."""


class Processes:
    """Worker processes on this machine.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"--workers must be at least 1, not {workers}")
        self.slots = workers
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # spawn: a forked child of a process that has used torch's threads may hang
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.slots, mp_context=context, initializer=_begin_worker)

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue the cell for a worker."""
        try:
            return self._pool.submit(work, job)
        except BrokenProcessPool:
            self._pool = self._start()
            return self._pool.submit(work, job)

    def wait(self, handles: Sequence[Future[Outcome]], timeout: float) -> list[tuple[Future[Outcome], Outcome | None]]:
        """As :class:`Pool`."""
        done, _ = wait(handles, timeout=timeout, return_when=FIRST_COMPLETED)
        return [(future, _outcome(future)) for future in handles if future in done]

    def close(self) -> None:
        """End the workers; a fold that is cut short resumes from its last epoch."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


def _begin_worker() -> None:
    # Ctrl-C reaches the whole process group; the parent ends its workers itself, unless it is killed outright.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would fit on unseen, beside the sweep that is started in its place."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(future: Future[Outcome]) -> Outcome | None:
    try:
        return future.result()
    except BrokenProcessPool:
        return None


class RayTasks:
    """Ray tasks, on this machine or on a cluster.

    Parameters
    ----------
    address
        Of a running cluster (``ray://host:10001`` or ``auto``); None starts Ray on this machine.
    threads
        CPUs that a task asks for.
    slots
        Tasks that may run at once. Default: the cluster's CPUs over ``threads``.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    UsageError
        If there is no cluster at ``address``.
    """

    def __init__(self, address: str | None = None, *, threads: int = 1, slots: int | None = None) -> None:
        self._ray = require("ray", extra="cluster", purpose="a comparison on Ray")
        self._own = not self._ray.is_initialized()
        if self._own:
            self._connect(address, threads * slots if slots and address is None else None)
        cpus = int(self._ray.cluster_resources().get("CPU", 1))
        self.slots = max(1, min(slots or cpus, cpus // threads))
        # A task that dies with its node is tried elsewhere; an error within a cell is no reason to repeat it.
        self._work = self._ray.remote(num_cpus=threads, max_retries=1)(work)

    def _connect(self, address: str | None, cpus: int | None) -> None:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        local: dict[str, Any] = {"include_dashboard": False, "num_cpus": cpus} if address is None else {}
        try:
            self._ray.init(address=address, **local, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"no Ray cluster at {address}: {error}", remedy="Start one with: ray start") from error

    def submit(self, job: Job) -> Any:
        """Hand the cell to Ray."""
        return self._work.remote(job)

    def wait(self, handles: Sequence[Any], timeout: float) -> list[tuple[Any, Outcome | None]]:
        """As :class:`Pool`."""
        done, _ = self._ray.wait(list(handles), num_returns=1, timeout=timeout)
        return [(handle, self._outcome(handle)) for handle in done]

    def _outcome(self, handle: Any) -> Outcome | None:
        try:
            outcome: Outcome = self._ray.get(handle)
        except self._ray.exceptions.RayError:
            return None
        return outcome

    def close(self) -> None:
        """Disconnect, or stop the Ray that was started here."""
        if self._own:
            self._ray.shutdown()
