"""The kinds of maps that are set against one another, and a trained network as a source of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from myosono.explanation.grad_cam import grad_cam
from myosono.faithfulness import HeatMapMethod, centre_prior, random_map, upsampled
from myosono.networks import STANet
from myosono.networks.preprocess import GREY_MEAN, GREY_STD

Floats = NDArray[np.float64]

_BATCH = 64

CLASS_MAP, RANDOM = "class_map", "random"
METHODS = (
    HeatMapMethod(
        CLASS_MAP,
        "Class map, as drawn",
        "The class map of the predicted class less the mean over classes: what overlays show.",
    ),
    HeatMapMethod(
        "class_map_alone",
        "Class map alone (CAM)",
        "The class map of the predicted class; its mean is the class score.",
    ),
    HeatMapMethod(
        "grad_cam",
        "Grad-CAM, last stage",
        "For this architecture the positive part of the class map alone, by construction.",
    ),
    HeatMapMethod("grad_cam_earlier", "Grad-CAM, stage before", "Grad-CAM on a grid twice as fine."),
    HeatMapMethod(
        "shrinkage",
        "Shrinkage (diagnostic)",
        "Share of feature magnitude that the last threshold removed: a diagnostic of the threshold, neither a heat map "
        "of a class nor a noise level.",
    ),
    HeatMapMethod("centre", "Centre prior", "A Gaussian in the middle of every image.", knows=False),
    HeatMapMethod(
        RANDOM, "Random, same grid", "Noise on the class map's own grid, three draws of it.", knows=False, draws=3
    ),
    HeatMapMethod(
        "random_pixels",
        "Random, single pixels",
        "Noise of single pixels: it destroys texture everywhere at once, which no map with patches does.",
        knows=False,
    ),
)


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Maps of some images, by method, on the grid of the network's input.

    Attributes
    ----------
    targets
        Class that is explained, shape ``(N,)``.
    maps
        Method to maps, ``(N, H, W)``; of the methods that know the image.
    grids
        Method to the cells of its maps before they were upsampled, ``(h, w)``.
    """

    targets: NDArray[np.intp]
    maps: dict[str, Floats]
    grids: dict[str, tuple[int, int]]

    @property
    def grid(self) -> tuple[int, int]:
        """Cells of the class maps."""
        return self.grids[CLASS_MAP]


class Network:
    """A trained network as what faithfulness needs: probabilities and maps of grey images of its own input size.

    Parameters
    ----------
    network
        In evaluation mode.
    """

    def __init__(self, network: STANet) -> None:
        self.network = network.eval()

    @torch.no_grad()
    def predict(self, images: NDArray[np.float32]) -> Floats:
        """Uncalibrated probabilities ``(N, classes)`` of grey images ``(N, H, W)``, 0 to 255."""
        batches = torch.split(torch.from_numpy(_standardised(images)), _BATCH)
        logits = torch.cat([self.network(batch) for batch in batches])
        return np.asarray(torch.softmax(logits.double(), dim=1).numpy())

    def maps(self, images: NDArray[np.float32], targets: NDArray[np.intp] | None = None) -> HeatMaps:
        """Maps of grey images ``(N, H, W)``, 0 to 255, by every method that knows the image.

        Parameters
        ----------
        targets
            Class to explain, shape ``(N,)``; the most probable one by default.
        """
        if targets is None:
            targets = self.predict(images).argmax(axis=1).astype(np.intp)
        shape = (images.shape[1], images.shape[2])
        # In batches: Grad-CAM keeps the activations of every layer.
        parts = [
            self._coarse(images[start : start + _BATCH], targets[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
        coarse = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        grids = {name: (found.shape[1], found.shape[2]) for name, found in coarse.items()}
        # pytorch-grad-cam returns maps of the input's size: their grids are those of the layers.
        grids |= {"grad_cam": grids[CLASS_MAP], "grad_cam_earlier": self._earlier_grid(images)}
        fine = {name: np.stack([upsampled(one, shape) for one in found]) for name, found in coarse.items()}
        return HeatMaps(targets, fine, grids)

    def _coarse(self, images: NDArray[np.float32], targets: NDArray[np.intp]) -> dict[str, Floats]:
        """Maps of one batch by method, each on the grid that it comes in."""
        inputs = torch.from_numpy(_standardised(images))
        with torch.no_grad():
            explained = self.network.explain(inputs)
        maps = explained.class_maps.double().numpy()
        alone = maps[np.arange(len(maps)), targets]
        stages = list(self.network.stages.children())
        wanted = [int(target) for target in targets]
        return {
            CLASS_MAP: alone - maps.mean(axis=1),
            "class_map_alone": alone,
            "grad_cam": grad_cam(self.network, stages[-1], inputs, wanted),
            "grad_cam_earlier": grad_cam(self.network, stages[-2], inputs, wanted),
            "shrinkage": explained.shrinkage.double().numpy(),
        }

    @torch.no_grad()
    def _earlier_grid(self, images: NDArray[np.float32]) -> tuple[int, int]:
        features = self.network.stages[:-1](self.network.stem(torch.from_numpy(_standardised(images[:1]))))
        return features.shape[2], features.shape[3]


def ignorant_maps(
    method: HeatMapMethod, grid: tuple[int, int], shape: tuple[int, int], rng: np.random.Generator
) -> list[Floats]:
    """Maps of one method that does not know the image, as many as it is drawn."""
    if method.name == "centre":
        return [centre_prior(shape)]
    cells = grid if method.name == RANDOM else shape
    return [random_map(cells, shape, rng) for _ in range(method.draws)]


def _standardised(images: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray((images[:, None] - GREY_MEAN) / GREY_STD, dtype=np.float32)
