"""What a network costs: parameters and multiply-accumulates, by one counter for all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-accumulates (MACs) of one forward pass on ``input_shape``."""

    params: int
    macs: int
    input_shape: tuple[int, int, int]


def measure_cost(model: nn.Module, input_shape: tuple[int, int, int] = (1, 224, 224)) -> Cost:
    """Count with ``torch.utils.flop_counter`` (convolutions and matrix products; two flops a MAC).

    Parameters
    ----------
    model
        Network; it is left in the mode it was in.
    input_shape
        Channels, height, width.
    """
    training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *input_shape))
    model.train(training)
    params = sum(parameter.numel() for parameter in model.parameters())
    return Cost(params=params, macs=counter.get_total_flops() // 2, input_shape=input_shape)
