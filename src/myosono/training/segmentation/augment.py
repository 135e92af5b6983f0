"""Training images: another depth setting, another gain, another machine, by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from myosono.networks.region import RegionConfig, resize, standardise
from myosono.training.segmentation.samples import Sample

IGNORED = -100
"""Target of pixels in columns whose borders are not known."""


@dataclass(frozen=True)
class Window:
    """Part of an image, as fractions of its height and width."""

    top: float
    left: float
    bottom: float
    right: float


class RegionDataset(Dataset[tuple[Tensor, Tensor]]):
    """Augmented samples at the network's input size.

    Parameters
    ----------
    samples
        Images and borders.
    config
        Input size.
    seed, epoch
        With the position they decide every random choice, so a resumed training sees the same images.
    """

    def __init__(self, samples: Sequence[Sample], config: RegionConfig, *, seed: int, epoch: int = 0) -> None:
        self.samples = samples
        self.config = config
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Standardised grey ``(1, rows, columns)`` and tissue ``(rows, columns)``."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        sample = self.samples[index]
        window = draw_window(sample, rng)
        grey = _resample(sample.image, window, self.config)
        tissue = tissue_of(sample, window, self.config)
        if rng.random() < 0.5:
            grey, tissue = grey[:, ::-1], tissue[:, ::-1]
        grey = vary_display(grey, rng)
        return standardise(torch.from_numpy(grey)[None]), torch.from_numpy(np.ascontiguousarray(tissue))


def draw_window(sample: Sample, rng: np.random.Generator) -> Window:
    """Cut some of the surface and of the depth, never a border of the muscle, and some of either side."""
    height = sample.image.shape[0]
    first = float(np.nanmin(sample.borders[0])) / height
    last = min(float(np.nanmax(sample.borders[1])) / height, 1.0)
    top = rng.uniform(0, 0.6) * max(first, 0.0) if rng.random() < 0.5 else 0.0
    bottom = 1 - rng.uniform(0, 0.9) * (1 - last) if rng.random() < 0.6 else 1.0
    left, right = rng.uniform(0, 0.15, 2)
    return Window(top, float(left), bottom, float(1 - right))


def tissue_of(sample: Sample, window: Window, config: RegionConfig) -> NDArray[np.int64]:
    """Tissue ``(rows, columns)``: 0 above, 1 muscle, 2 below, `IGNORED` where the borders are not known."""
    height, width = sample.image.shape
    where = window.left + (np.arange(config.columns) + 0.5) / config.columns * (window.right - window.left)
    borders = sample.borders[:, np.minimum((where * width).astype(int), width - 1)] / height
    row = window.top + (np.arange(config.rows) + 0.5)[:, None] / config.rows * (window.bottom - window.top)
    tissue = (row >= borders[0]).astype(np.int64) + (row >= borders[1])
    return np.where(np.isnan(borders).any(axis=0), IGNORED, tissue)


def vary_display(grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gain, contrast, grey map, gain over depth and grain, within what scanners differ by."""
    varied = np.clip(grey / 255, 0, 1) ** rng.uniform(0.7, 1.4)
    ramp = np.linspace(-1, 1, grey.shape[0], dtype=np.float32)[:, None]
    varied = varied * rng.uniform(0.7, 1.35) * np.exp(rng.uniform(-0.4, 0.4) * ramp)
    if rng.random() < 0.5:
        varied = varied * (1 + rng.uniform(0, 0.3) * rng.standard_normal(grey.shape))
    varied = varied + rng.uniform(-0.06, 0.06)
    return (255 * np.clip(varied, 0, 1)).astype(np.float32)


def whole(image: NDArray[np.uint8], config: RegionConfig) -> Tensor:
    """The network's input ``(1, 1, rows, columns)`` of a whole image, as the exported graph makes it."""
    return standardise(resize(torch.from_numpy(image)[None, None], config.rows, config.columns))


def _resample(image: NDArray[np.uint8], window: Window, config: RegionConfig) -> NDArray[np.float32]:
    height, width = image.shape
    box = (window.left * width, window.top * height, window.right * width, window.bottom * height)
    size = (config.columns, config.rows)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=box), dtype=np.float32)
