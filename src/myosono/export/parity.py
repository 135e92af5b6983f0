"""Proof that the artefact computes what the trained network computes, and what the run said of the same images.

Torch shows that the file is the network. The run's stored predictions show that the network is the one whose figures
the file states: they came from training's own preprocessing and weights, some time ago.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from myosono.errors import ArtefactError
from myosono.export.graph import ReadingGraph

MAX_LOGIT_DIFFERENCE = 1e-4
"""Gate of every export."""

MAX_PROBABILITY_DIFFERENCE = 0.01
"""Gate of every export: room for the reduced precision of an accelerator, none for other weights or preprocessing."""


@dataclass(frozen=True)
class Parity:
    """onnxruntime against torch, and against what the run predicted, on the same images.

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
    predicted_images
        How many of them the run had predicted: its validation and test images.
    max_probability_difference
        Largest absolute difference of any uncalibrated probability from the run's own.
    """

    images: int
    max_logit_difference: float
    argmax_agreement: float
    max_class_map_difference: float
    predicted_images: int
    max_probability_difference: float

    def to_dict(self) -> dict[str, Any]:
        """For the artefact's metadata and ``--json``."""
        return asdict(self)


def prove_parity(
    graph: ReadingGraph, artefact: Path, images: Iterable[NDArray[np.uint8]], predicted: NDArray[np.float64]
) -> Parity:
    """Compare on images of their original sizes.

    Parameters
    ----------
    graph
        The trained network in torch.
    artefact
        The file.
    images
        uint8 grey, ``(height, width)`` each; those that the run predicted come first.
    predicted
        The run's uncalibrated probabilities of these, ``(predicted images, classes)``.

    Raises
    ------
    ArtefactError
        If there is no image to compare on, or none that the run predicted.
    """
    graph = graph.eval()
    session = onnxruntime.InferenceSession(str(artefact), providers=["CPUExecutionProvider"])
    logits, maps, same, probabilities = [], [], [], []
    with torch.no_grad():
        for row, image in enumerate(images):
            _, here, here_maps, *_ = (tensor.numpy() for tensor in graph(torch.from_numpy(np.array(image))))
            there, there_maps = session.run(["logits", "class_maps"], {"image": image})
            logits.append(float(np.abs(here - there).max()))
            maps.append(float(np.abs(here_maps - there_maps).max()))
            same.append(bool(here.argmax() == there.argmax()))
            if row < len(predicted):
                probabilities.append(float(np.abs(softmax(there.astype(np.float64)) - predicted[row]).max()))
    if not probabilities:
        raise ArtefactError("there is no image to prove parity on", path=artefact)
    return Parity(len(same), max(logits), float(np.mean(same)), max(maps), len(probabilities), max(probabilities))
