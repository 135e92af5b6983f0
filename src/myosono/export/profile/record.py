"""What was measured of one network, and its flat form for JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myosono.errors import UsageError


@dataclass(frozen=True)
class Latency:
    """Wall time of one image, batch 1, in milliseconds: median, 5th and 95th percentile of ``repeats`` runs."""

    median: float
    p5: float
    p95: float
    repeats: int


@dataclass(frozen=True)
class Peak:
    """The highest float32 multiply-add rate that one thread reached in a matrix product, in the same run.

    Attributes
    ----------
    macs_per_second
        Multiply-accumulates per second, at the median time of the product.
    product
        The library, its kernels, and the size of the square matrices.
    """

    macs_per_second: float
    product: str


@dataclass(frozen=True)
class Profile:
    """Cost of one network with fresh weights on this machine.

    Attributes
    ----------
    params, macs
        Parameters; multiply-accumulates of one forward pass on ``input`` (channels, height, width).
    file_bytes
        Size of the network as ONNX, float32.
    one_thread, two_threads
        Latency of a single image through onnxruntime with one and with two threads, each run after another network's:
        the weights come from memory, as for the first image after other work.
    succession
        Latency of one of many images in succession, one thread: the weights are in the caches where they fit.
    peak_memory_bytes
        Growth of the resident set of a fresh process that loads the network and runs it, beyond Python and
        onnxruntime themselves; None where the system does not tell.
    peak
        What the processor can do at most.
    macs_ratio_to_dual_branch
        ``macs`` over those of Uçar's dual-branch network on the same input.
    machine, runtime
        Processor; library and version that ran the networks.
    load_average
        Runnable processes over the minute before the first measurement (None if unknown); well above 0 means that
        other work shared the processor.
    """

    name: str
    params: int
    macs: int
    input: tuple[int, int, int]
    file_bytes: int
    one_thread: Latency
    two_threads: Latency
    succession: Latency
    peak_memory_bytes: int | None
    peak: Peak
    macs_ratio_to_dual_branch: float
    machine: str
    runtime: str
    load_average: float | None

    @property
    def peak_share(self) -> float:
        """Share of the peak rate: ``macs`` per second of images in succession, over the peak.

        The peak is that of products in succession, so both find their operands in the caches. The VGGs stand slightly
        above 1: the counter counts products with the zeros of the padding, which onnxruntime leaves out.
        """
        return self._rate(self.succession) / self.peak.macs_per_second

    @property
    def peak_share_single(self) -> float:
        """As `peak_share`, of a single image after another network's."""
        return self._rate(self.one_thread) / self.peak.macs_per_second

    def _rate(self, latency: Latency) -> float:
        return self.macs / (latency.median / 1e3)

    def to_dict(self) -> dict[str, Any]:
        """Flat, for ``--json``; ``latency_ms`` is the median of a single image on one thread."""
        return {
            "name": self.name,
            "params": self.params,
            "macs": self.macs,
            "input": list(self.input),
            "file_bytes": self.file_bytes,
            "latency_ms": self.one_thread.median,
            "latency_ms_p5": self.one_thread.p5,
            "latency_ms_p95": self.one_thread.p95,
            "latency_in_succession_ms": self.succession.median,
            "latency_in_succession_ms_p5": self.succession.p5,
            "latency_in_succession_ms_p95": self.succession.p95,
            "latency_2_threads_ms": self.two_threads.median,
            "latency_2_threads_ms_p5": self.two_threads.p5,
            "latency_2_threads_ms_p95": self.two_threads.p95,
            "repeats": self.one_thread.repeats,
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_share": self.peak_share,
            "peak_share_single": self.peak_share_single,
            "peak_macs_per_second": self.peak.macs_per_second,
            "peak_product": self.peak.product,
            "macs_ratio_to_dual_branch": self.macs_ratio_to_dual_branch,
            "machine": self.machine,
            "runtime": self.runtime,
            "load_average": self.load_average,
        }


def write_csv(profiles: Sequence[Profile], path: Path) -> None:
    """One row a network, the columns of `Profile.to_dict`; ``input`` as ``1x224x224``.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    rows = [profile.to_dict() | {"input": "x".join(map(str, profile.input))} for profile in profiles]
    try:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", path=path) from error
