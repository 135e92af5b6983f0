"""Profile networks: export each, then time them side by side with the matrix product."""

from __future__ import annotations

import functools
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from myosono.errors import ModelError
from myosono.export.graph import save, strip_traces
from myosono.export.profile.memory import peak_memory_bytes
from myosono.export.profile.peak import best_product, matrix_products
from myosono.export.profile.record import Latency, Peak, Profile
from myosono.export.profile.timing import Job, each, in_succession, interleaved, open_session
from myosono.networks import create_model, measure_cost
from myosono.networks.cost import Cost
from myosono.networks.runtime_form import runtime_form
from myosono.progress import track
from myosono.provenance import machine

REFERENCE = "dual_branch"


@dataclass(frozen=True)
class _Exported:
    cost: Cost
    path: Path
    memory: int | None


def profile_models(
    names: Sequence[str],
    *,
    num_classes: int = 4,
    input_shape: tuple[int, int, int] = (1, 224, 224),
    repeats: int = 30,
    budget: float = 20.0,
    quiet: bool = False,
) -> list[Profile]:
    """Profile networks with fresh weights.

    Every latency and the processor's peak rate come from the same run, interleaved network by network, so that noise
    falls on all alike.

    Parameters
    ----------
    names
        Registered or timm names.
    input_shape
        Channels, height, width; batch 1.
    repeats
        Timed runs of each network.
    budget
        Seconds of timing that one network may take at each number of threads; a slow one gets fewer runs (at least 5).

    Raises
    ------
    ModelError
        If a name is unknown, or a network cannot be exported or run.
    """
    busy = load_average()
    channels = input_shape[0]
    reference = measure_cost(create_model(REFERENCE, num_classes=num_classes, in_chans=channels), input_shape)
    with tempfile.TemporaryDirectory() as scratch:
        exported = [
            _exported(name, num_classes, input_shape, Path(scratch), number)
            for number, name in enumerate(track(list(names), "exporting, peak memory", disable=quiet))
        ]
        one, succession, peak = _time_one_thread(exported, input_shape, repeats, budget, quiet=quiet)
        two = interleaved(
            _jobs(exported, input_shape, threads=2),
            repeats=repeats, budget=budget, title="timing, 2 threads", quiet=quiet,
        )  # fmt: skip
        sizes = [item.path.stat().st_size for item in exported]
    return [
        Profile(
            name=name,
            params=item.cost.params,
            macs=item.cost.macs,
            input=input_shape,
            file_bytes=size,
            one_thread=single,
            two_threads=double,
            succession=many,
            peak_memory_bytes=item.memory,
            peak=peak,
            macs_ratio_to_dual_branch=item.cost.macs / reference.macs,
            machine=f"{machine()['processor']}, {os.cpu_count()} logical processors",
            runtime=f"onnxruntime {onnxruntime.__version__}",
            load_average=busy,
        )
        for name, item, size, single, many, double in zip(names, exported, sizes, one, succession, two, strict=True)
    ]


def load_average() -> float | None:
    """Runnable processes over the last minute; None on systems that do not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _time_one_thread(
    exported: Sequence[_Exported], input_shape: tuple[int, int, int], repeats: int, budget: float, *, quiet: bool
) -> tuple[list[Latency], list[Latency], Peak]:
    """Single images, images in succession, and the matrix product, all in turn."""
    products = matrix_products()
    single = _jobs(exported, input_shape, threads=1)
    many = [in_succession(job, item.cost.macs) for job, item in zip(single, exported, strict=True)]
    jobs = [*single, *(run for run, _ in many), *(product.run for product in products)]
    with threadpool_limits(1, user_api="blas"):
        times = interleaved(jobs, repeats=repeats, budget=budget, title="timing, 1 thread", quiet=quiet)
    count = len(exported)
    together = zip(times[count : 2 * count], many, strict=True)
    succession = [each(latency, images) for latency, (_, images) in together]
    return times[:count], succession, best_product(products, times[2 * count :])


def _jobs(exported: Sequence[_Exported], input_shape: tuple[int, int, int], *, threads: int) -> list[Job]:
    feed = {"input": np.random.default_rng(0).standard_normal((1, *input_shape), dtype=np.float32)}
    sessions = [open_session(item.path, threads) for item in exported]
    return [functools.partial(session.run, None, feed) for session in sessions]


def _exported(name: str, num_classes: int, shape: tuple[int, int, int], folder: Path, number: int) -> _Exported:
    model = create_model(name, num_classes=num_classes, in_chans=shape[0])
    try:
        return _export(model, shape, folder, number)
    except (AssertionError, RuntimeError, ValueError, TypeError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{name} cannot be run or exported at {shape[1]} x {shape[2]} pixels: {reason}", remedy="Try another size."
        ) from error


def _export(model: nn.Module, input_shape: tuple[int, int, int], folder: Path, number: int) -> _Exported:
    cost = measure_cost(model, input_shape)
    path = folder / f"{number}.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formed, images = runtime_form(model.eval()), torch.zeros(1, *input_shape)
        program = torch.onnx.export(formed, (images,), dynamo=True, input_names=["input"], verbose=False)
    assert program is not None
    proto = program.model_proto
    strip_traces(proto)
    save(proto, path)
    return _Exported(cost, path, peak_memory_bytes(path, (1, *input_shape)))
