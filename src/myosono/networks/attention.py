"""The attention of a block, by name: soft threshold, none, or one of those that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from timm.layers.cbam import CbamModule
from timm.layers.eca import EcaModule
from timm.layers.squeeze_excite import SEModule
from torch import nn

from myosono.networks.soft_threshold import Shrinkage, SoftThreshold

AttentionName = Literal["soft_threshold", "soft_threshold_spatial", "squeeze_excitation", "eca", "cbam", "none"]
"""Soft threshold a channel or a position; gates by Hu et al. 2018, Wang et al. 2020, Woo et al. 2018; or nothing."""

Attention = Callable[[int], nn.Module]
"""Makes the attention of a block from its number of channels."""

_REDUCTION, _MIN_HIDDEN = 4, 8


def make_attention(name: AttentionName, *, initial_bias: float = -2.0, shrinkage: Shrinkage = "soft") -> Attention:
    """The factory of an attention.

    Parameters
    ----------
    name
        Which attention. The gates have the hidden width of the soft threshold's branch, so that only the principle
        differs.
    initial_bias, shrinkage
        Of the soft thresholds.

    Raises
    ------
    ValueError
        If the name is unknown, or a shrinkage is chosen for an attention that shrinks nothing.
    """
    if name not in get_args(AttentionName):
        raise ValueError(f"attention must be one of {', '.join(get_args(AttentionName))}, not {name!r}")
    if name in ("soft_threshold", "soft_threshold_spatial"):
        axis: Literal["channel", "spatial"] = "channel" if name == "soft_threshold" else "spatial"
        return partial(SoftThreshold, axis=axis, initial_bias=initial_bias, shrinkage=shrinkage)
    if shrinkage != "soft":
        raise ValueError(f"shrinkage={shrinkage!r} belongs to a soft threshold; attention {name!r} has none")
    gates: dict[str, Attention] = {
        "none": lambda channels: nn.Identity(),
        "squeeze_excitation": lambda channels: SEModule(channels, rd_channels=_hidden(channels)),
        "eca": EcaModule,
        "cbam": lambda channels: CbamModule(channels, rd_channels=_hidden(channels)),
    }
    return lambda channels: _not_in_place(gates[name](channels))


def _hidden(channels: int) -> int:
    return max(channels // _REDUCTION, _MIN_HIDDEN)


def _not_in_place(attention: nn.Module) -> nn.Module:
    for module in attention.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return attention
