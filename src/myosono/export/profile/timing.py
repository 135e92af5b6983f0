"""Timing side by side: whatever disturbs the machine falls on every network alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from myosono.export.profile.record import Latency
from myosono.progress import progress_bar

WARM_UP = 2
"""Untimed runs of each network: the first ones allocate."""
FEWEST = 5
"""Timed runs of even the slowest network."""

WORK = 10**9
"""MACs of a run of many images or products: some 20 ms, so what the job before it left in the caches is no matter."""

Job = Callable[[], object]


def in_succession(job: Job, macs: int) -> tuple[Job, int]:
    """A job that runs ``job`` again and again, and how often: as often as makes up `WORK`.

    Parameters
    ----------
    job
        One image or one product.
    macs
        Its multiply-accumulates.
    """
    times = max(1, WORK // max(1, macs))

    def run() -> object:
        for _ in range(times - 1):
            job()
        return job()

    return run, times


def interleaved(jobs: Sequence[Job], *, repeats: int, budget: float, title: str, quiet: bool = False) -> list[Latency]:
    """Time every job in rounds, one run of each job a round.

    Parameters
    ----------
    jobs
        What to run, without arguments.
    repeats
        Timed runs of each job, and the number of rounds.
    budget
        Seconds that one job may take in all. A slow job runs in fewer rounds, evenly spread, at least `FEWEST`.
    title
        What the progress bar says.

    Returns
    -------
    list of Latency
        One for each job, in order.
    """
    counts = [_affordable(job, repeats, budget) for job in jobs]
    times: list[list[float]] = [[] for _ in jobs]
    with progress_bar(disable=quiet) as bar:
        task = bar.add_task(title, total=sum(counts))
        for turn in range(repeats):
            for job, count, measured in zip(jobs, counts, times, strict=True):
                if due(turn, count, repeats):
                    measured.append(_seconds(job))
                    bar.advance(task)
    return [_summary(measured) for measured in times]


def due(turn: int, count: int, turns: int) -> bool:
    """Whether a job with ``count`` runs in ``turns`` rounds runs in this one; evenly spread.

    Examples
    --------
    >>> [turn for turn in range(10) if due(turn, 3, 10)]
    [3, 6, 9]
    """
    return (turn + 1) * count // turns > turn * count // turns


def _affordable(job: Job, repeats: int, budget: float) -> int:
    seconds = [_seconds(job) for _ in range(WARM_UP)]
    return int(np.clip(budget / max(seconds[-1], 1e-9), min(FEWEST, repeats), repeats))


def _seconds(job: Job) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def each(latency: Latency, times: int) -> Latency:
    """Of one of the ``times`` runs in succession that were timed together."""
    return Latency(latency.median / times, latency.p5 / times, latency.p95 / times, latency.repeats)


def _summary(seconds: Sequence[float]) -> Latency:
    low, middle, high = (float(value) * 1e3 for value in np.percentile(seconds, [5, 50, 95]))
    return Latency(median=middle, p5=low, p95=high, repeats=len(seconds))


def open_session(model: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the processor with so many threads.

    Idle threads of one session must not spin while another is timed, so spinning stops with each run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
