"""RegionNet: where the muscle lies, from the blocks of STANet and a light decoder.

Each pixel is above the muscle, in it, or below it: the two aponeuroses are the borders between these. The encoder is a
stem and `AlternatingBlock`s that halve the size; the decoder doubles it again and adds the encoder's features on the
way (Ronneberger et al. 2015, U-Net; added rather than joined, as in Chaurasia and Culurciello 2017, LinkNet, which is
cheaper).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from myosono.networks.attention import make_attention
from myosono.networks.blocks import AlternatingBlock, DepthwiseSeparable
from myosono.networks.preprocess import GREY_MEAN, GREY_STD

TISSUES = ("above", "muscle", "below")
"""Meaning of the three outputs, from the surface down."""


@dataclass(frozen=True)
class RegionConfig:
    """Input size and widths.

    Attributes
    ----------
    rows, columns
        Input size in pixels, multiples of 32; more rows than columns, since the borders are measured in depth.
    stem, widths
        Channels of the stem and of the four stages.
    """

    rows: int = 256
    columns: int = 128
    stem: int = 12
    widths: tuple[int, int, int, int] = (24, 36, 56, 72)


class Decoder(nn.Module):
    """Double the size, add the encoder's features of that size, refine."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.skip = nn.Sequential(nn.Conv2d(skip_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.activation = nn.ReLU(inplace=False)
        self.refine = DepthwiseSeparable(out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, S, 2 H, 2 W)`` to ``(N, out, 2 H, 2 W)``."""
        return self.refine(self.activation(_double(self.reduce(x)) + self.skip(skip)))


class RegionNet(nn.Module):
    """Above, in or below the muscle, for each pixel.

    Parameters
    ----------
    config
        Input size and widths.
    """

    def __init__(self, config: RegionConfig | None = None) -> None:
        super().__init__()
        self.config = config or RegionConfig()
        widths = (self.config.stem, *self.config.widths)
        attention = make_attention("soft_threshold")
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.encoder = nn.ModuleList(AlternatingBlock(a, b, stride=2, attention=attention) for a, b in pairwise(widths))
        self.bottom = AlternatingBlock(widths[-1], widths[-1], stride=1, attention=attention)
        self.decoder = nn.ModuleList(
            Decoder(deep, skip, skip) for deep, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], len(TISSUES), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, 3, H, W)`` in the order of `TISSUES`, of standardised grey ``(N, 1, H, W)``."""
        features = [self.stem(x)]
        for block in self.encoder:
            features.append(block(features[-1]))
        y = self.bottom(features.pop())
        for decoder in self.decoder:
            y = decoder(y, features.pop())
        return _double(self.head(y))


class RegionGraph(nn.Module):
    """Resizing, standardisation, network and softmax: what is exported.

    Parameters
    ----------
    network
        A trained `RegionNet`.
    """

    def __init__(self, network: RegionNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """uint8 ``(height, width)`` of any size to probabilities ``(3, rows, columns)``."""
        config = self.network.config
        return torch.softmax(self.network(standardise(resize(image[None, None], config.rows, config.columns))), dim=1)[
            0
        ]


def resize(grey: Tensor, rows: int, columns: int) -> Tensor:
    """Antialiased bilinear resizing of ``(N, 1, H, W)``, as float32."""
    return functional.interpolate(
        grey.to(torch.float32), size=(rows, columns), mode="bilinear", align_corners=False, antialias=True
    )


def standardise(grey: Tensor) -> Tensor:
    """Grey levels 0 to 255 to the range of the network; the same constants as the classifier's."""
    return (grey - GREY_MEAN) / GREY_STD


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
