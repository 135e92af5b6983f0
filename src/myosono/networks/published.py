"""The networks published for myositis, and the estimator of engineered features published beside them."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from myosono.networks.dual_branch import DualBranch
from myosono.networks.registry import register, register_estimator
from myosono.networks.vgg import VGGNet, adapted, build_alexnet

_BURLINA, _UCAR = "Burlina et al. 2017, PLoS ONE e0184059", "Uçar 2022"


@register("dual_branch", source=f"{_UCAR}, VGG16 + VGG19 feature fusion", family="published", weights="download")
def dual_branch(*, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False) -> nn.Module:
    """The published network for myositis that every cost is compared with."""

    def build(channels: int) -> nn.Module:
        return DualBranch(num_classes=num_classes, in_chans=channels, pretrained=pretrained)

    return adapted(build, in_chans, pretrained=pretrained)


@register("vgg16", source=f"{_UCAR}, VGG16 with dense 1024-512-256", family="published", weights="download")
def vgg16(*, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False) -> nn.Module:
    """One branch of the dual branch."""
    return _vgg("vgg16", num_classes, in_chans, pretrained)


@register("vgg19", source=f"{_UCAR}, VGG19 with dense 1024-512-256", family="published", weights="download")
def vgg19(*, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False) -> nn.Module:
    """The other branch of the dual branch."""
    return _vgg("vgg19", num_classes, in_chans, pretrained)


@register("alexnet", source=f"{_BURLINA}: DCNN (AlexNet, torchvision)", family="published", weights="download")
def alexnet(*, num_classes: int = 4, in_chans: int = 1, **options: Any) -> nn.Module:
    """Burlina's deep network; any input of 63 pixels or more."""
    return build_alexnet(num_classes=num_classes, in_chans=in_chans, **options)


register_estimator("rf_engineered", source=f"{_BURLINA}: random forest on engineered features", family="published")


def _vgg(name: Literal["vgg16", "vgg19"], num_classes: int, in_chans: int, pretrained: bool) -> nn.Module:
    def build(channels: int) -> nn.Module:
        return VGGNet(name, num_classes=num_classes, in_chans=channels, pretrained=pretrained)

    return adapted(build, in_chans, pretrained=pretrained)
