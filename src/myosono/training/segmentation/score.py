"""How far proposed borders lie from drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.networks.region import RegionGraph, RegionNet
from myosono.progress import track
from myosono.quantification.decode import borders_to_mask, decode_borders
from myosono.training.segmentation.samples import Sample

Propose = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Tissue probabilities ``(3, rows, columns)`` of an image."""


@dataclass(frozen=True)
class RegionScore:
    """One held-out image.

    Attributes
    ----------
    dice
        Dice coefficient of the muscle, over columns with drawn borders.
    superficial_px, deep_px
        Mean absolute error of the inner edge of each aponeurosis, in pixels of the image as distributed.
    superficial_percent, deep_percent
        The same, in percent of the depth of the B-mode area.
    thickness_percent
        Absolute error of the mean thickness, in percent of the drawn one.
    support
        The network's own certainty (see `decode_borders`).
    """

    name: str
    layout: str
    dice: float
    superficial_px: float
    deep_px: float
    superficial_percent: float
    deep_percent: float
    thickness_percent: float
    support: float


def network_proposer(network: RegionNet) -> Propose:
    """Proposals of a network in torch."""
    graph = RegionGraph(network).eval()

    def propose(image: NDArray[np.uint8]) -> NDArray[Any]:
        with torch.no_grad():
            return graph(torch.from_numpy(image)).numpy()

    return propose


def score_samples(propose: Propose, samples: Sequence[Sample], *, quiet: bool = False) -> list[RegionScore]:
    """Score the proposal for each sample."""
    return [score_sample(propose(item.image), item) for item in track(samples, "scoring", disable=quiet)]


def score_sample(probabilities: NDArray[Any], sample: Sample) -> RegionScore:
    """Score one proposal, tissue probabilities ``(3, rows, columns)``."""
    height, width = sample.image.shape
    borders, support = decode_borders(probabilities)
    proposed = borders_to_mask(borders, height, width)
    known = ~np.isnan(sample.borders).any(axis=0)
    row = np.arange(height)[:, None]
    with np.errstate(invalid="ignore"):
        drawn = (row >= sample.borders[0]) & (row < sample.borders[1])
    columns = (np.arange(width) + 0.5) / width
    at = (np.arange(borders.shape[1]) + 0.5) / borders.shape[1]
    edges = np.stack([np.interp(columns, at, edge) for edge in borders]) * height
    error = np.abs(edges - np.clip(sample.borders, 0, height))[:, known].mean(axis=1)
    thickness, found = (float((e[1] - e[0])[known].mean()) for e in (np.clip(sample.borders, 0, height), edges))
    return RegionScore(
        name=sample.name,
        layout=sample.layout,
        dice=dice(proposed[:, known], drawn[:, known]),
        superficial_px=float(error[0]),
        deep_px=float(error[1]),
        superficial_percent=float(100 * error[0] / height),
        deep_percent=float(100 * error[1] / height),
        thickness_percent=100 * abs(found - thickness) / thickness,
        support=support,
    )


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks; 1 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
