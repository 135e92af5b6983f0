"""The graph that is exported: uint8 grey of any size in; calibrated probabilities and their evidence out."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from myosono.hashing import sha256_bytes
from myosono.networks import Preprocess
from myosono.networks.explained import Explainable
from myosono.networks.runtime_form import runtime_form

OUTPUTS = ("probabilities", "logits", "class_maps", "shrinkage", "shrinkage_fraction", "embedding")


class ReadingGraph(nn.Module):
    """Preprocessing, network and calibration as one module.

    Parameters
    ----------
    network
        A trained network of ours, or a peer with its class maps.
    size
        Side of the network input, in pixels.
    temperature
        Logits are divided by this before the softmax.
    """

    def __init__(self, network: Explainable, *, size: int, temperature: float) -> None:
        super().__init__()
        self.size = size
        self.preprocess = Preprocess(size)
        self.network = network
        self.temperature = float(temperature)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``(height, width)`` to the tensors named in `OUTPUTS`, without a batch axis."""
        explained = self.network.explain(self.preprocess(image))
        probabilities = torch.softmax(explained.logits / self.temperature, dim=1)
        return (
            probabilities[0],
            explained.logits[0],
            explained.class_maps[0],
            explained.shrinkage[0],
            explained.shrinkage_fraction[0],
            explained.embedding[0],
        )


def to_onnx(graph: ReadingGraph) -> onnx.ModelProto:
    """Export with dynamic height and width, the network in its runtime form (`runtime_form`).

    Only torch's dynamo exporter carries antialiased resizing into ONNX; the older one cannot.
    """
    graph = ReadingGraph(runtime_form(graph.network), size=graph.size, temperature=graph.temperature)
    graph = graph.eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros((498, 447), dtype=torch.uint8)
    dynamic = ({0: torch.export.Dim("height", min=16, max=8192), 1: torch.export.Dim("width", min=16, max=8192)},)
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=["image"],
                output_names=list(OUTPUTS),
                dynamic_shapes=dynamic,
                verbose=False,
            )
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    strip_traces(model)
    return model


def strip_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's traces of the source tree: they hold this machine's paths and half the small file's bytes."""
    model.producer_name = "myosono"
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.doc_string = ""
        if hasattr(value, "metadata_props"):
            del value.metadata_props[:]
    del model.graph.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]


def graph_sha256(model: onnx.ModelProto) -> str:
    """Hash of graph and weights alone: the same for every export of the same network by the same versions."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.metadata_props[:]
    return sha256_bytes(bare.SerializeToString(deterministic=True))


def save(model: onnx.ModelProto, path: Path) -> None:
    """Check and write one self-contained file."""
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(path), save_as_external_data=False)
