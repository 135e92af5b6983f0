"""Our registered networks: a name, its layer table, its source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from myosono.networks.registry import register
from myosono.networks.stanet import STANet, STANetConfig
from myosono.networks.starting_weights import load_starting_weights

_TAN = "Tan et al. 2024, J Biomed Eng 41:895 (layer table ours)"


@register("stanet_s", source=_TAN, family="ours", weights="shipped")
def stanet_s(*, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False, **options: Any) -> nn.Module:
    """Flagship: at most 87.1 MMAC at 224x224 grey, 0.25 % of the dual branch."""
    config = STANetConfig(stem=(16, 32), widths=(48, 64, 96), depths=(1, 2, 2))
    network = STANet(replace(config, **options), num_classes=num_classes, in_chans=in_chans)
    if pretrained:
        load_starting_weights(network, "stanet_s")
    return network


@register("stanet_xs", source=_TAN, family="ours")
def stanet_xs(*, num_classes: int = 4, in_chans: int = 1, **options: Any) -> nn.Module:
    """Sibling for the slowest carts: at most 35 MMAC at 224x224 grey."""
    config = STANetConfig(stem=(16, 16), widths=(32, 48, 96), depths=(1, 2, 1))
    return STANet(replace(config, **options), num_classes=num_classes, in_chans=in_chans)
