"""The reference for cost: Uçar's dual-branch VGG16 + VGG19 feature-fusion network (Uçar 2022).

Both branches' convolutional features are globally average pooled, concatenated, and classified by dense
layers of 1024, 512 and 256 units. The softmax belongs to the loss, so the network returns logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import VGG, vgg16, vgg19

_HIDDEN = (1024, 512, 256)
_VGG_FEATURES = 512


class DualBranch(nn.Module):
    """VGG16 and VGG19 side by side, fused by concatenation.

    Parameters
    ----------
    num_classes
        Number of classes.
    in_chans
        Input channels; VGG's first convolution is made anew when this is not 3.
    """

    def __init__(self, *, num_classes: int = 4, in_chans: int = 3) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = 2 * _VGG_FEATURES
        self.vgg16 = _features(vgg16(weights=None), in_chans)
        self.vgg19 = _features(vgg19(weights=None), in_chans)
        layers: list[nn.Module] = []
        width = self.num_features
        for hidden in _HIDDEN:
            layers += [nn.Linear(width, hidden), nn.ReLU(inplace=False)]
            width = hidden
        self.classifier = nn.Sequential(*layers, nn.Linear(width, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, in_chans, H, W)``, each side at least 32 pixels."""
        pooled = [branch(x).mean(dim=(2, 3)) for branch in (self.vgg16, self.vgg19)]
        return self.classifier(torch.cat(pooled, dim=1))


def _features(vgg: VGG, in_chans: int) -> nn.Sequential:
    layers = [nn.ReLU(inplace=False) if isinstance(layer, nn.ReLU) else layer for layer in vgg.features.children()]
    if in_chans != 3:
        first = nn.Conv2d(in_chans, 64, 3, padding=1)
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
        if first.bias is not None:
            nn.init.zeros_(first.bias)
        layers[0] = first
    return nn.Sequential(*layers)
