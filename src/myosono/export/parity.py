"""Proof that the artefact computes what the trained network computes: the same images through both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from myosono.errors import ArtefactError
from myosono.export.graph import ReadingGraph

MAX_LOGIT_DIFFERENCE = 1e-4
"""Gate of every export."""


@dataclass(frozen=True)
class Parity:
    """Torch against onnxruntime on the same images.

    Attributes
    ----------
    images
        How many were compared.
    max_logit_difference
        Largest absolute difference of any logit.
    argmax_agreement
        Share of images with the same decision.
    max_class_map_difference
        Largest absolute difference of any class map value.
    """

    images: int
    max_logit_difference: float
    argmax_agreement: float
    max_class_map_difference: float

    @property
    def holds(self) -> bool:
        """Whether the gate is passed."""
        return self.max_logit_difference <= MAX_LOGIT_DIFFERENCE and self.argmax_agreement == 1.0

    def to_dict(self) -> dict[str, Any]:
        """For the artefact's metadata and ``--json``."""
        return asdict(self)


def prove_parity(graph: ReadingGraph, artefact: Path, images: Iterable[NDArray[np.uint8]]) -> Parity:
    """Compare on images of their original sizes.

    Raises
    ------
    ArtefactError
        If there is no image to compare on.
    """
    graph = graph.eval()
    session = onnxruntime.InferenceSession(str(artefact), providers=["CPUExecutionProvider"])
    logits, maps, same = [], [], []
    with torch.no_grad():
        for image in images:
            _, here, here_maps, *_ = (tensor.numpy() for tensor in graph(torch.from_numpy(np.array(image))))
            there, there_maps = session.run(["logits", "class_maps"], {"image": image})
            logits.append(float(np.abs(here - there).max()))
            maps.append(float(np.abs(here_maps - there_maps).max()))
            same.append(bool(here.argmax() == there.argmax()))
    if not same:
        raise ArtefactError("there is no image to prove parity on", path=artefact)
    return Parity(len(same), max(logits), float(np.mean(same)), max(maps))
