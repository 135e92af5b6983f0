"""The block of STANet: a depthwise separable convolution, then a conventional one, then the threshold."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from myosono.networks.soft_threshold import shrinkage_map

Attention = Callable[[int], nn.Module]
"""Makes the attention of a block from its number of channels."""


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


class AlternatingBlock(nn.Module):
    """Residual block: depthwise separable, conventional 3x3, soft-threshold attention, shortcut.

    Parameters
    ----------
    in_channels, out_channels
        Widths.
    stride
        1, or 2 to halve the size (in the depthwise convolution, where it is cheapest).
    attention
        Factory of the attention on the residual branch.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, attention: Attention) -> None:
        super().__init__()
        self.separable = DepthwiseSeparable(in_channels, out_channels, stride=stride)
        self.conventional = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.attention = attention(out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride=stride)
        self.activation = nn.ReLU(inplace=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C_in, H, W)`` to ``(N, C_out, ceil(H / stride), ceil(W / stride))``."""
        residual = self.attention(self.conventional(self.separable(x)))
        return self.activation(residual + self.shortcut(x))

    def forward_with_shrinkage(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and the share of magnitude that the attention removed, ``(N, H, W)``."""
        before = self.conventional(self.separable(x))
        after = self.attention(before)
        return self.activation(after + self.shortcut(x)), shrinkage_map(before, after)
