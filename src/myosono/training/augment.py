"""Augmentation that ultrasound allows, on whole batches, from an explicit random generator.

Geometry: mirror, shift, zoom, rotation and depth crop as one affine resampling. Grey: gain, contrast, TGC
(a smooth curve over depth) and multiplicative speckle. Never upside down: depth has a meaning.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from myosono.training.recipe import Augmentation


class Augmenter:
    """Applies an `Augmentation` to network inputs.

    Parameters
    ----------
    settings
        Strengths.
    mean, std
        The standardisation of the inputs, to convert grey levels.
    """

    def __init__(self, settings: Augmentation, *, mean: float, std: float) -> None:
        self.settings = settings
        self.black = -mean / std
        self.white = (255.0 - mean) / std
        self.std = std

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """``(N, 1, H, W)`` standardised to the same shape, augmented; all randomness from ``generator``."""
        warped = self._warp(images, generator)
        return self._grey(warped, generator)

    def _uniform(self, count: int, strength: float, generator: torch.Generator) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * strength

    def _warp(self, images: Tensor, generator: torch.Generator) -> Tensor:
        s, n = self.settings, len(images)
        angle = self._uniform(n, math.radians(s.rotation), generator)
        zoom = 1 + self._uniform(n, s.scale, generator)
        mirror = torch.ones(n)
        if s.flip:
            mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
        # A crop at the bottom keeps the skin at the top: the visible depth shrinks, then fills the frame.
        kept = 1 - torch.rand(n, generator=generator) * s.depth_crop
        shift_x = self._uniform(n, 2 * s.shift, generator)
        shift_y = self._uniform(n, 2 * s.shift, generator) + (kept - 1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        theta = torch.stack(
            [
                torch.stack([zoom * cos * mirror, -zoom * sin * kept, shift_x], dim=1),
                torch.stack([zoom * sin * mirror, zoom * cos * kept, shift_y], dim=1),
            ],
            dim=1,
        )
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        # Padding by reflection keeps the border plausible; black bars would tell the network of the warp.
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def _grey(self, images: Tensor, generator: torch.Generator) -> Tensor:
        s, n = self.settings, len(images)
        height = images.shape[-2]
        depth = torch.linspace(0, 1, height).view(1, 1, height, 1)
        # TGC: a half and a full wave over depth, so that near, middle and far gain move apart.
        waves = self._uniform(n, s.tgc, generator).view(n, 1, 1, 1) * torch.cos(math.pi * depth)
        waves = waves + self._uniform(n, s.tgc, generator).view(n, 1, 1, 1) * torch.cos(2 * math.pi * depth)
        gain = self._uniform(n, s.gain, generator).view(n, 1, 1, 1)
        contrast = 1 + self._uniform(n, s.contrast, generator).view(n, 1, 1, 1)
        above_black = (images - self.black) * contrast
        if s.speckle:
            above_black = above_black * (1 + s.speckle * torch.randn(images.shape, generator=generator))
        # Gain acts on echoes, not on the black of no signal.
        echo = (above_black * (self.std / 24.0)).clamp(0, 1)
        shifted = self.black + above_black + echo * (gain + waves) / self.std
        return shifted.clamp(self.black, self.white)
