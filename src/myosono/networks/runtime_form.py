"""The same network with its thresholds written as onnxruntime computes them fastest, for export alone.

onnxruntime keeps the results of convolutions in blocks of channels and has to lay them out anew for every other
operation. What is not a convolution is therefore written here with fewer operations, and so that the sums and the Relu
at the end of a block become part of a convolution. The values are equal up to rounding; `benchmarks/log.md` has what
each step is worth.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from myosono.networks.blocks import ResidualBlock
from myosono.networks.soft_threshold import SoftThreshold
from myosono.networks.stanet import STANet

Network = TypeVar("Network", bound=nn.Module)


class RuntimeBlock(ResidualBlock):
    """A block with a soft threshold a channel; shares the layers of the block that it is made of.

    With ``c = min(max(x, -tau), tau)`` the soft threshold is ``x - c``, and what it removes of ``|x|`` is ``|c|``.

    Parameters
    ----------
    block
        One for which `has_runtime_form` is true.
    """

    def __init__(self, block: ResidualBlock) -> None:
        nn.Module.__init__(self)  # the layers are the block's own, none is made
        threshold = block.attention
        assert isinstance(threshold, SoftThreshold)
        self.block = block
        self.attention, self.shortcut, self.activation = threshold, block.shortcut, block.activation
        # As matrices (in, out): the runtime's 1x1 convolution would be laid out in blocks and back again.
        for name, layer in (("squeeze", threshold.squeeze), ("excite", threshold.excite)):
            assert layer.bias is not None
            self.register_buffer(name, layer.weight.detach().flatten(1).T.contiguous())
            self.register_buffer(f"{name}_bias", layer.bias.detach())
        channels = threshold.excite.out_channels
        self.channels = channels
        # Times -1 as a depthwise convolution: both sums and the Relu after it are computed in its pass.
        self.register_buffer("minus", -torch.ones(channels, 1, 1, 1))

    def convolve(self, x: Tensor) -> Tensor:
        """As the block that it is made of."""
        return self.block.convolve(x)

    def forward(self, x: Tensor) -> Tensor:
        """As the block that it is made of."""
        features = self.convolve(x)
        return self._past_the_shortcut(x, features, self._removed(features, features.abs()))

    def forward_with_shrinkage(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As the block that it is made of."""
        features = self.convolve(x)
        magnitude = features.abs()
        removed = self._removed(features, magnitude)
        total = magnitude.sum(1).clamp_min(torch.finfo(magnitude.dtype).tiny)
        return self._past_the_shortcut(x, features, removed), removed.abs().sum(1) / total

    def _removed(self, features: Tensor, magnitude: Tensor) -> Tensor:
        """What the soft threshold takes away."""
        mean = magnitude.mean(dim=(2, 3))
        hidden = torch.relu(self._linear("squeeze", mean))
        alpha = torch.sigmoid(self._linear("excite", hidden))
        tau = (alpha * mean).view(-1, self.channels, 1, 1)
        return torch.minimum(torch.maximum(features, -tau), tau)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.get_buffer(name) + self.get_buffer(f"{name}_bias")

    def _past_the_shortcut(self, x: Tensor, features: Tensor, removed: Tensor) -> Tensor:
        taken = functional.conv2d(removed, self.get_buffer("minus"), groups=self.channels)
        return self.activation((self.shortcut(x) + features) + taken)


def has_runtime_form(block: ResidualBlock) -> bool:
    """Whether the block's attention is the soft threshold a channel."""
    attention = block.attention
    return isinstance(attention, SoftThreshold) and attention.axis == "channel" and attention.shrinkage == "soft"


def runtime_form(network: Network) -> Network:
    """A copy of a network of ours for export, in evaluation mode; any other network is returned as it is.

    Parameters
    ----------
    network
        From `create_model`.
    """
    if not isinstance(network, STANet):
        return network
    formed = copy.deepcopy(network).eval()
    for stage in formed.stages.children():
        assert isinstance(stage, nn.Sequential)
        for place, block in enumerate(stage.children()):
            assert isinstance(block, ResidualBlock)
            if has_runtime_form(block):
                stage[place] = RuntimeBlock(block)
    return formed
