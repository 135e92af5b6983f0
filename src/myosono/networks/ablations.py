"""The flagship with one decision changed, so that each decision can be weighed.

All keep the flagship's widths and depths. That changes the cost where the convolutions change (the tables state it);
the flagship itself is the variant with a channel-wise soft threshold, bias -2 and alternating convolutions.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from myosono.networks.models import stanet_s
from myosono.networks.registry import Builder, register

ABLATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no_attention": ({"attention": "none"}, "without attention"),
    "se": ({"attention": "squeeze_excitation"}, "with squeeze-excitation (Hu et al. 2018)"),
    "eca": ({"attention": "eca"}, "with efficient channel attention (Wang et al. 2020)"),
    "cbam": ({"attention": "cbam"}, "with channel and spatial attention (Woo et al. 2018, CBAM)"),
    "spatial_threshold": ({"attention": "soft_threshold_spatial"}, "one threshold a position, shared by channels"),
    "bias_minus_4": ({"initial_bias": -4.0}, "threshold starts near 0.02 of the mean magnitude"),
    "bias_0": ({"initial_bias": 0.0}, "threshold starts at half of the mean magnitude"),
    "garrote": ({"shrinkage": "garrote"}, "with the non-negative garrote (Breiman 1995)"),
    "separable": ({"convolutions": "separable"}, "all convolutions depthwise separable"),
    "conventional": ({"convolutions": "conventional"}, "all convolutions conventional"),
}
"""Variant of ``stanet_s``: its options, and what it is."""


def _builder(changed: dict[str, Any]) -> Builder:
    def build(*, num_classes: int = 4, in_chans: int = 1, **options: Any) -> nn.Module:
        return stanet_s(num_classes=num_classes, in_chans=in_chans, **(changed | options))

    return build


for _variant, (_changed, _what) in ABLATIONS.items():
    register(f"stanet_s_{_variant}", source=f"stanet_s {_what}", family="ablation")(_builder(_changed))
