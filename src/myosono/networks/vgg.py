"""VGG and AlexNet as they were used on muscle ultrasound: grey stem, and Uçar's dense head behind VGG's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from myosono.networks.imagenet import IMAGENET_MEAN, IMAGENET_STD, ImageNetInput, torchvision_network

_HIDDEN = (1024, 512, 256)
VGG_FEATURES = 512
"""Channels of the last convolution of VGG16 and VGG19."""


class VGGNet(nn.Module):
    """One VGG's convolutional features, globally average pooled, behind Uçar's dense layers (Uçar 2022).

    Parameters
    ----------
    name
        Which VGG.
    num_classes
        Number of classes.
    in_chans
        Input channels; the first convolution is made anew when this is not 3.
    pretrained
        Download ImageNet weights for the features; needs 3 channels.
    """

    def __init__(
        self, name: Literal["vgg16", "vgg19"], *, num_classes: int = 4, in_chans: int = 3, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = VGG_FEATURES
        self.features = vgg_features(name, in_chans, pretrained=pretrained)
        self.classifier = dense_head(VGG_FEATURES, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, in_chans, H, W)``, each side at least 32 pixels."""
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def vgg_features(name: Literal["vgg16", "vgg19"], in_chans: int, *, pretrained: bool = False) -> nn.Sequential:
    """Convolutional part of torchvision's VGG, nothing in place, initialised as torchvision does."""
    if pretrained:
        return _with_stem(_part(torchvision_network(name, pretrained=True), "features"), in_chans)
    # The dense layers are not used: their 120 million weights are never allocated.
    with torch.device("meta"):
        network = torchvision_network(name, pretrained=False)
    features = _with_stem(_part(network, "features").to_empty(device="cpu"), in_chans)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            _initialise(layer)
    return features


def dense_head(width: int, num_classes: int) -> nn.Sequential:
    """Dense layers of 1024, 512 and 256 units, then the logits (Uçar 2022)."""
    layers: list[nn.Module] = []
    for hidden in _HIDDEN:
        layers += [nn.Linear(width, hidden), nn.ReLU(inplace=False)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, num_classes))


def build_alexnet(*, num_classes: int, in_chans: int, pretrained: bool = False) -> nn.Module:
    """AlexNet (Krizhevsky 2012 in torchvision's one-tower form) with a grey stem and our number of classes."""

    def build(channels: int) -> nn.Module:
        network = torchvision_network("alexnet", pretrained=pretrained)
        dense = _not_in_place(_part(network, "classifier"))
        last = dense.pop()
        assert isinstance(last, nn.Linear)
        network.features = _with_stem(_part(network, "features"), channels)
        network.classifier = nn.Sequential(*dense, nn.Linear(last.in_features, num_classes))
        return network

    return adapted(build, in_chans, pretrained=pretrained)


def adapted(build: Callable[[int], nn.Module], in_chans: int, *, pretrained: bool) -> nn.Module:
    """Build for ``in_chans`` channels, or, with ImageNet weights, for three behind the change of range."""
    if not pretrained:
        return build(in_chans)
    return ImageNetInput(build(3), mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _part(network: nn.Module, name: str) -> nn.Sequential:
    part = network.get_submodule(name)
    assert isinstance(part, nn.Sequential)
    return part


def _not_in_place(layers: nn.Sequential) -> list[nn.Module]:
    return [nn.ReLU(inplace=False) if isinstance(layer, nn.ReLU) else layer for layer in layers]


def _with_stem(features: nn.Sequential, in_chans: int) -> nn.Sequential:
    """The same layers, nothing in place, behind a first convolution of ``in_chans`` channels."""
    layers = _not_in_place(features)
    old = layers[0]
    assert isinstance(old, nn.Conv2d)
    if in_chans != old.in_channels:
        size, stride, padding = old.kernel_size[0], old.stride[0], int(old.padding[0])
        stem = layers[0] = nn.Conv2d(in_chans, old.out_channels, size, stride=stride, padding=padding)
        _initialise(stem)
    return nn.Sequential(*layers)


def _initialise(convolution: nn.Conv2d) -> None:
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
