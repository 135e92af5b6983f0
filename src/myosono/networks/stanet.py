"""STANet: the soft-threshold attention network for muscle ultrasound.

After Tan et al. 2024 (J Biomed Eng 41:895, DOI 10.7507/1001-5515.202301023): a backbone that alternates
depthwise separable and conventional convolution, with soft-threshold attention on the residual branch. Only
the paper's abstract states the budget (0.25 % of the dual branch's 34.85 GMAC, so 87.1 MMAC at 224x224); the
layer table is ours. The network ends in global average pooling and one linear layer, so a class map is exact
and free: the mean of a class's map over positions, plus its bias, is its logit (Zhou et al. 2016, CAM).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from myosono.networks.attention import AttentionName, make_attention
from myosono.networks.blocks import BLOCKS, Conventional, Convolutions, ResidualBlock
from myosono.networks.soft_threshold import Shrinkage

MIN_SIZE = 64
"""Smallest input height and width, in pixels."""


@dataclass(frozen=True)
class STANetConfig:
    """The layer table: widths and depths of the stages, and the attention.

    Each layer of the stem and the first block of each stage halve the size.

    Attributes
    ----------
    stem
        Channels of the stem's conventional convolutions.
    widths, depths
        Channels and blocks of each stage.
    attention
        On each block's residual branch.
    initial_bias, shrinkage
        Of a soft threshold: where its level starts, and how it treats what exceeds it.
    convolutions
        Of each block.
    dropout
        Before the classifier.
    """

    stem: tuple[int, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    attention: AttentionName = "soft_threshold"
    initial_bias: float = -2.0
    shrinkage: Shrinkage = "soft"
    convolutions: Convolutions = "alternating"
    dropout: float = 0.0


@dataclass(frozen=True)
class Explained:
    """What one pass through the network can tell.

    Attributes
    ----------
    logits
        ``(N, classes)``.
    class_maps
        ``(N, classes, h, w)``; mean over positions plus bias equals the logit.
    shrinkage
        ``(N, h, w)``: share of feature magnitude removed by the last block's attention (see `shrinkage_map`).
    shrinkage_fraction
        ``(N,)``: mean of that share over all blocks and positions; 0 without attention.
    embedding
        ``(N, d)``: globally pooled features.
    """

    logits: Tensor
    class_maps: Tensor
    shrinkage: Tensor
    shrinkage_fraction: Tensor
    embedding: Tensor


class STANet(nn.Module):
    """Soft-threshold attention network.

    Parameters
    ----------
    config
        Layer table.
    num_classes
        Number of classes.
    in_chans
        1 for grey ultrasound (the first-class case), 3 for colour.
    """

    def __init__(self, config: STANetConfig, *, num_classes: int = 4, in_chans: int = 1) -> None:
        super().__init__()
        self.config = config
        self.num_classes = num_classes
        self.num_features = config.widths[-1]
        self.stem = _stem(config, in_chans)
        self.stages = nn.Sequential(*_stages(config))
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.num_features, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """Feature maps ``(N, d, h, w)`` of images ``(N, in_chans, H, W)``, each side at least 64 pixels."""
        if not torch.compiler.is_compiling() and min(x.shape[-2:]) < MIN_SIZE:
            raise ValueError(f"input of {tuple(x.shape[-2:])} pixels: each side must be at least {MIN_SIZE}")
        return self.stages(self.stem(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, in_chans, H, W)``."""
        pooled = self.forward_features(x).mean(dim=(2, 3))
        return self.classifier(self.dropout(pooled))

    def explain(self, x: Tensor) -> Explained:
        """Logits with class maps, shrinkage and embedding, in one pass."""
        features = self.stem(x)
        removed: list[Tensor] = []
        for stage in self.stages.children():
            for block in stage.children():
                assert isinstance(block, ResidualBlock)
                features, shrinkage = block.forward_with_shrinkage(features)
                removed.append(shrinkage)
        embedding = features.mean(dim=(2, 3))
        return Explained(
            logits=self.classifier(embedding),
            class_maps=torch.einsum("nchw,kc->nkhw", features, self.classifier.weight),
            shrinkage=removed[-1],
            shrinkage_fraction=torch.stack([share.mean(dim=(1, 2)) for share in removed]).mean(0),
            embedding=embedding,
        )


def _stem(config: STANetConfig, in_chans: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((in_chans, *config.stem)):
        layers += [*Conventional(before, after, stride=2).children(), nn.ReLU(inplace=False)]
    return nn.Sequential(*layers)


def _stages(config: STANetConfig) -> list[nn.Module]:
    if len(config.widths) != len(config.depths) or min(config.depths) < 1:
        raise ValueError("a stage needs one width and a depth of at least 1")
    if config.convolutions not in BLOCKS:
        raise ValueError(f"convolutions must be one of {', '.join(BLOCKS)}, not {config.convolutions!r}")
    block = BLOCKS[config.convolutions]
    attention = make_attention(config.attention, initial_bias=config.initial_bias, shrinkage=config.shrinkage)
    stages: list[nn.Module] = []
    channels = config.stem[-1]
    for width, depth in zip(config.widths, config.depths, strict=True):
        first = block(channels, width, stride=2, attention=attention)
        rest = [block(width, width, stride=1, attention=attention) for _ in range(depth - 1)]
        stages.append(nn.Sequential(first, *rest))
        channels = width
    return stages
