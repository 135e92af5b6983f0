"""The region network as one ONNX file: uint8 grey of any size in, tissue probabilities out."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch

from myosono.export.graph import save, strip_traces
from myosono.formats import REGION_FORMAT, REGION_METADATA_KEY
from myosono.networks.cost import measure_cost
from myosono.networks.region import TISSUES, RegionGraph, RegionNet
from myosono.provenance import now, versions


def export_region(network: RegionNet, path: str | Path, facts: Mapping[str, Any]) -> Path:
    """Write a trained region network.

    Parameters
    ----------
    network
        Trained.
    path
        The ``.onnx`` file to write.
    facts
        What it was trained on and how well it does, for the file's metadata: at least ``name``, ``trained_on`` and
        ``licence``.

    Returns
    -------
    Path
        The file written.
    """
    model = _to_onnx(RegionGraph(network))
    config = network.config
    cost = measure_cost(network, (1, config.rows, config.columns))
    metadata = {
        "format": REGION_FORMAT,
        "tissues": list(TISSUES),
        "input": [config.rows, config.columns],
        "params": cost.params,
        "macs": cost.macs,
        **facts,
        "created": now(),
        "versions": versions(),
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = REGION_METADATA_KEY, json.dumps(metadata)
    target = Path(path)
    save(model, target)
    return target


def _to_onnx(graph: RegionGraph) -> onnx.ModelProto:
    graph = graph.eval().to(memory_format=torch.contiguous_format)
    height, width = (torch.export.Dim(name, min=16, max=8192) for name in ("height", "width"))
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                (torch.zeros((498, 447), dtype=torch.uint8),),
                dynamo=True,
                input_names=["image"],
                output_names=["tissue"],
                dynamic_shapes=({0: height, 1: width},),
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    strip_traces(model)
    return model
