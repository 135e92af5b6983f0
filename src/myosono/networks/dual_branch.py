"""The reference for cost: Uçar's dual-branch VGG16 + VGG19 feature-fusion network (Uçar 2022).

Both branches' convolutional features are globally average pooled, concatenated, and classified by dense
layers of 1024, 512 and 256 units. The softmax belongs to the loss, so the network returns logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from myosono.networks.vgg import VGG_FEATURES, dense_head, vgg_features


class DualBranch(nn.Module):
    """VGG16 and VGG19 side by side, fused by concatenation.

    Parameters
    ----------
    num_classes
        Number of classes.
    in_chans
        Input channels; VGG's first convolution is made anew when this is not 3.
    pretrained
        Download ImageNet weights for both branches; needs 3 channels.
    """

    def __init__(self, *, num_classes: int = 4, in_chans: int = 3, pretrained: bool = False) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = 2 * VGG_FEATURES
        self.vgg16 = vgg_features("vgg16", in_chans, pretrained=pretrained)
        self.vgg19 = vgg_features("vgg19", in_chans, pretrained=pretrained)
        self.classifier = dense_head(self.num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, in_chans, H, W)``, each side at least 32 pixels."""
        pooled = [branch(x).mean(dim=(2, 3)) for branch in (self.vgg16, self.vgg19)]
        return self.classifier(torch.cat(pooled, dim=1))
