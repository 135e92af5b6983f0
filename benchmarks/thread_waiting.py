"""How long training threads should wait busily for each other: `results/thread_waiting.csv`.

    python benchmarks/thread_waiting.py

Steps of `stanet_s` in a process of its own for each setting of GNU OpenMP's `GOMP_SPINCOUNT`, settings interleaved,
alone on the machine and beside a single-threaded training for each core. About seven minutes; an idle machine, please.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import track

RESULT = Path(__file__).parent / "results" / "thread_waiting.csv"
SPINS = ("", "1000", "20000")
"""The library's own (300,000), and less."""
SIZES = (64, 128)
ROUNDS = 3
SECONDS = 5.0
BATCH = 32


def steps(px: int, threads: int, seconds: float) -> float:
    """Images a second of training steps on random images of `px` pixels."""
    import torch

    from myosono.networks import create_model

    torch.set_num_threads(threads)
    network = create_model("stanet_s", num_classes=4).train()
    optimizer = torch.optim.AdamW(network.parameters())
    images, targets = torch.randn(BATCH, 1, px, px), torch.randint(0, 4, (BATCH,))
    done, started = -2, time.perf_counter()
    while done < 1 or time.perf_counter() - started < seconds:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), targets).backward()
        optimizer.step()
        done += 1
        if done == 0:
            started = time.perf_counter()
    return BATCH * done / (time.perf_counter() - started)


def measured(px: int, spin: str) -> float:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    }
    environment |= {"GOMP_SPINCOUNT": spin} if spin else {}
    command = [sys.executable, __file__, "--px", str(px), "--threads", str(os.cpu_count())]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Single-threaded trainings beside what is measured."""
    command = [sys.executable, __file__, "--px", "128", "--threads", "1", "--seconds", "3600"]
    others = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--px", type=int, help="only measure here, with --threads and --seconds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    if asked.px:
        print(steps(asked.px, asked.threads, asked.seconds))
        return 0
    rows = []
    for beside in (0, os.cpu_count() or 1):
        with neighbours(beside):
            cells = [(px, spin) for _ in range(ROUNDS) for px in SIZES for spin in SPINS]
            rates = [(px, spin, measured(px, spin)) for px, spin in track(cells, f"beside {beside} trainings")]
        for px in SIZES:
            for spin in SPINS:
                mine = [rate for one, other, rate in rates if (one, other) == (px, spin)]
                rows.append([beside, px, spin or "library's own", round(statistics.median(mine), 1)])
    with RESULT.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["trainings_beside", "px", "spin_count", "images_per_s"], *rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
