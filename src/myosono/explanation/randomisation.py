"""The sanity check: a map that does not change when the network's weights are drawn anew does not show the network.

Adebayo et al. 2018 (NeurIPS; arXiv:1810.03292): cascading from the classifier down to the stem, and one layer at a
time.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.evaluation import PatientBootstrap, percentile_interval
from myosono.explanation.heat_maps import HeatMaps, Network
from myosono.faithfulness import (
    SimilarityRow,
    mean_over_patients,
    random_map,
    rank_correlation,
    structural_similarity,
)
from myosono.faithfulness.result import MEASURES, Way
from myosono.networks import STANet

Floats = NDArray[np.float64]

CHECKED = ("class_map", "class_map_alone", "grad_cam_earlier", "shrinkage")


def layers(network: STANet) -> tuple[str, ...]:
    """Names of what is randomised, from the classifier down: each block, and the stem."""
    blocks = [
        f"stages.{number}.{place}"
        for number, stage in enumerate(network.stages.children())
        for place, _ in enumerate(stage.children())
    ]
    return ("classifier", *reversed(blocks), "stem")


def randomised(network: STANet, fresh: STANet, names: Sequence[str]) -> STANet:
    """A copy of a network whose named layers have another network's weights and statistics.

    Parameters
    ----------
    fresh
        A network of the same layer table as it is before training.
    names
        Of `layers`.
    """
    mixed = copy.deepcopy(network)
    drawn = fresh.state_dict()
    prefixes = tuple(f"{name}." for name in names)
    mixed.load_state_dict({k: v for k, v in drawn.items() if k.startswith(prefixes)} | _others(network, prefixes))
    return mixed.eval()


def fresh_network(network: STANet, seed: int) -> STANet:
    """The same layer table with weights as drawn before training."""
    in_chans = int(next(network.parameters()).shape[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return STANet(network.config, num_classes=network.num_classes, in_chans=in_chans).eval()


def randomisation_check(
    network: STANet,
    images: NDArray[np.float32],
    patients: Sequence[str],
    bootstrap: PatientBootstrap,
    *,
    draws: int,
    seed: int,
) -> Iterator[SimilarityRow]:
    """Similarity of maps before and after, by method, way and layer, and what random maps reach by chance.

    Parameters
    ----------
    images
        Grey levels at the network's input size, ``(N, H, W)``.
    patients
        Of each image.
    draws
        Fresh networks; their similarities are averaged.
    """
    before = Network(network).maps(images)
    names = layers(network)
    fresh = [fresh_network(network, seed + number) for number in range(draws)]
    ways: tuple[Way, ...] = ("cascading", "independent")
    for way in ways:
        for position, layer in enumerate(names):
            chosen = names[: position + 1] if way == "cascading" else (layer,)
            after = [Network(randomised(network, one, chosen)).maps(images, before.targets) for one in fresh]
            for method in CHECKED:
                found = [_alike(before.maps[method], one.maps[method]) for one in after]
                yield from _rows(method, way, layer, position, found, patients, bootstrap)
    rng = np.random.default_rng(seed)
    for method in CHECKED:
        found = [_alike(before.maps[method], _noise(before, method, rng)) for _ in range(draws)]
        yield from _rows(method, "chance", "", 0, found, patients, bootstrap)


def _others(network: STANet, prefixes: tuple[str, ...]) -> dict[str, torch.Tensor]:
    return {key: value for key, value in network.state_dict().items() if not key.startswith(prefixes)}


def _noise(maps: HeatMaps, method: str, rng: np.random.Generator) -> Floats:
    count, height, width = maps.maps[method].shape
    return np.stack([random_map(maps.grids[method], (height, width), rng) for _ in range(count)])


def _alike(first: Floats, second: Floats) -> Floats:
    """Shape ``(N, measures)``."""
    pairs = list(zip(first, second, strict=True))
    rank = np.array([rank_correlation(a, b) for a, b in pairs])
    return np.stack([rank, np.abs(rank), np.array([structural_similarity(a, b) for a, b in pairs])], axis=1)


def _rows(
    method: str,
    way: Way,
    layer: str,
    position: int,
    found: Sequence[Floats],
    patients: Sequence[str],
    bootstrap: PatientBootstrap,
) -> Iterator[SimilarityRow]:
    value, samples = mean_over_patients(np.mean(found, axis=0), patients, bootstrap)
    for place, measure in enumerate(MEASURES):
        estimate = percentile_interval(float(value[place]), samples[:, place])
        yield SimilarityRow(method, way, layer, position, measure, estimate)
