"""Preprocessing as part of the network, so that training, the artefact and every reader use the same pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GREY_MEAN = 60.0
GREY_STD = 50.0
"""Fixed standardisation of grey levels: absolute echo intensity carries diagnosis, so none is normalised alone."""


class Preprocess(nn.Module):
    """One grey image of any size to the network's input.

    Antialiased bilinear resizing to a square, then a fixed standardisation. The same module is exported.

    Parameters
    ----------
    size
        Side of the square, in pixels.
    mean, std
        Grey level subtracted and divided by.
    """

    def __init__(self, size: int = 224, *, mean: float = GREY_MEAN, std: float = GREY_STD) -> None:
        super().__init__()
        self.size = size
        self.mean = mean
        self.std = std

    def forward(self, image: Tensor) -> Tensor:
        """uint8 ``(H, W)`` to float32 ``(1, 1, size, size)``."""
        grey = image.to(torch.float32)[None, None]
        resized = functional.interpolate(
            grey, size=(self.size, self.size), mode="bilinear", align_corners=False, antialias=True
        )
        return (resized - self.mean) / self.std
