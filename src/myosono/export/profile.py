"""What each network costs on this machine: parameters, MACs, bytes and latency, by one method for all."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from myosono.export.graph import save, strip_traces
from myosono.networks import create_model, measure_cost
from myosono.progress import track

REFERENCE = "dual_branch"


@dataclass(frozen=True)
class Profile:
    """Cost of one network.

    Attributes
    ----------
    macs
        Multiply-accumulates of one forward pass on ``input`` (channels, height, width).
    file_bytes
        Size of the network as ONNX, float32.
    latency_ms
        Median of one image through onnxruntime on one thread.
    macs_ratio_to_dual_branch
        ``macs`` over those of Uçar's dual-branch network on the same input.
    """

    name: str
    params: int
    macs: int
    input: tuple[int, int, int]
    file_bytes: int
    latency_ms: float
    macs_ratio_to_dual_branch: float

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def profile_models(
    names: Sequence[str],
    *,
    num_classes: int = 4,
    input_shape: tuple[int, int, int] = (1, 224, 224),
    repeats: int = 30,
    quiet: bool = False,
) -> list[Profile]:
    """Profile networks with fresh weights, interleaving their timed runs so that noise falls on all alike.

    Parameters
    ----------
    names
        Registered or timm names.
    repeats
        Timed runs of each network; the median is reported.
    """
    reference = measure_cost(create_model(REFERENCE, num_classes=num_classes, in_chans=input_shape[0]), input_shape)
    with tempfile.TemporaryDirectory() as scratch:
        costs, sizes, sessions = [], [], []
        for name in track(list(names), "exporting networks", disable=quiet):
            model = create_model(name, num_classes=num_classes, in_chans=input_shape[0])
            costs.append(measure_cost(model, input_shape))
            path = Path(scratch) / f"{name}.onnx"
            _save_plain(model, input_shape, path)
            sizes.append(path.stat().st_size)
            sessions.append(_session(path))
            path.unlink()
        latencies = _interleaved_latency(sessions, input_shape, repeats, quiet=quiet)
    return [
        Profile(name, cost.params, cost.macs, input_shape, size, latency, cost.macs / reference.macs)
        for name, cost, size, latency in zip(names, costs, sizes, latencies, strict=True)
    ]


def _save_plain(model: nn.Module, input_shape: tuple[int, int, int], path: Path) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(), (torch.zeros(1, *input_shape),), dynamo=True, input_names=["input"], verbose=False
        )
    assert program is not None
    proto = program.model_proto
    strip_traces(proto)
    save(proto, path)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _interleaved_latency(
    sessions: list[onnxruntime.InferenceSession], input_shape: tuple[int, int, int], repeats: int, *, quiet: bool
) -> list[float]:
    image = np.random.default_rng(0).standard_normal((1, *input_shape), dtype=np.float32)
    times: list[list[float]] = [[] for _ in sessions]
    for repeat in track(range(repeats + 2), "timing", disable=quiet):
        for session, measured in zip(sessions, times, strict=True):
            started = time.perf_counter()
            session.run(None, {"input": image})
            if repeat >= 2:  # the first runs allocate
                measured.append(time.perf_counter() - started)
    return [float(np.median(measured)) * 1e3 for measured in times]
