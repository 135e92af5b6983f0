"""The block of STANet: a depthwise separable convolution, then a conventional one, then the threshold.

Beside it, for comparison, blocks of two convolutions of one kind.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from myosono.networks.attention import Attention
from myosono.networks.soft_threshold import shrinkage_map

Convolutions = Literal["alternating", "separable", "conventional"]
"""Which convolutions a block has."""


class DepthwiseSeparable(nn.Sequential):
    """Depthwise 3x3 and pointwise 1x1 convolution, each with batch norm (Howard et al. 2017, MobileNet)."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=False),
        )


class Shortcut(nn.Sequential):
    """The way past a block: the mean of each 2x2 square when it halves the size, 1x1 when widths differ."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        layers: list[nn.Module] = []
        if stride > 1:
            # ceil_mode agrees with a padded strided convolution on odd sizes.
            layers.append(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False))
        if in_channels != out_channels:
            layers += [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        super().__init__(*layers)


class Conventional(nn.Sequential):
    """Conventional 3x3 convolution with batch norm."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class ResidualBlock(nn.Module):
    """Two convolutions, attention on their result, and a shortcut; subclasses say which convolutions.

    Parameters
    ----------
    in_channels, out_channels
        Widths.
    stride
        1, or 2 to halve the size (in the first convolution, where a depthwise one is cheapest).
    attention
        Factory of the attention on the residual branch.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, attention: Attention) -> None:
        super().__init__()
        self.add_convolutions(in_channels, out_channels, stride)
        self.attention = attention(out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride=stride)
        self.activation = nn.ReLU(inplace=False)

    def add_convolutions(self, in_channels: int, out_channels: int, stride: int) -> None:
        """Make the layers of the residual branch."""
        raise NotImplementedError

    def convolve(self, x: Tensor) -> Tensor:
        """The residual branch before its attention; no activation at its end."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C_in, H, W)`` to ``(N, C_out, ceil(H / stride), ceil(W / stride))``."""
        residual = self.attention(self.convolve(x))
        return self.activation(residual + self.shortcut(x))

    def forward_with_shrinkage(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and the share of magnitude that the attention removed, ``(N, H, W)``."""
        before = self.convolve(x)
        after = self.attention(before)
        return self.activation(after + self.shortcut(x)), shrinkage_map(before, after)


class AlternatingBlock(ResidualBlock):
    """Depthwise separable, then conventional: STANet's own."""

    def add_convolutions(self, in_channels: int, out_channels: int, stride: int) -> None:
        """One of each."""
        self.separable = DepthwiseSeparable(in_channels, out_channels, stride=stride)
        self.conventional = Conventional(out_channels, out_channels)

    def convolve(self, x: Tensor) -> Tensor:
        """Cheap and strided first, then dense."""
        return self.conventional(self.separable(x))


class SeparableBlock(ResidualBlock):
    """Two depthwise separable convolutions, for comparison."""

    def add_convolutions(self, in_channels: int, out_channels: int, stride: int) -> None:
        """The second without its activation, which follows the shortcut."""
        self.first = DepthwiseSeparable(in_channels, out_channels, stride=stride)
        self.second = nn.Sequential(*list(DepthwiseSeparable(out_channels, out_channels))[:-1])

    def convolve(self, x: Tensor) -> Tensor:
        """One after the other."""
        return self.second(self.first(x))


class ConventionalBlock(ResidualBlock):
    """Two conventional convolutions (the basic block of ResNet), for comparison."""

    def add_convolutions(self, in_channels: int, out_channels: int, stride: int) -> None:
        """An activation between them."""
        self.first = Conventional(in_channels, out_channels, stride=stride)
        self.between = nn.ReLU(inplace=False)
        self.second = Conventional(out_channels, out_channels)

    def convolve(self, x: Tensor) -> Tensor:
        """One after the other."""
        return self.second(self.between(self.first(x)))


BLOCKS: dict[Convolutions, type[ResidualBlock]] = {
    "alternating": AlternatingBlock,
    "separable": SeparableBlock,
    "conventional": ConventionalBlock,
}
