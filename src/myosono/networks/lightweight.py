"""The lightweight networks that a user would pick instead, from timm and torchvision, with grey input."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from myosono.networks.imagenet import LITE0, build_lite0, build_timm, torchvision_network
from myosono.networks.registry import register
from myosono.networks.vgg import adapted

TIMM = {
    "mobilenetv2_100": "Sandler et al. 2018, MobileNetV2 (timm)",
    "mobilenetv3_small_100": "Howard et al. 2019, MobileNetV3 (timm)",
    "mobilenetv4_conv_small_050": "Qin et al. 2024, MobileNetV4 (timm)",
    "ghostnet_050": "Han et al. 2020, GhostNet (timm)",
    "repghostnet_058": "Chen et al. 2022, RepGhost (timm)",
    "lcnet_050": "Cui et al. 2021, PP-LCNet (timm)",
    "tinynet_d": "Han et al. 2020, Model Rubik's Cube: TinyNet (timm)",
    "tinynet_e": "Han et al. 2020, Model Rubik's Cube: TinyNet (timm)",
    "efficientvit_m0": "Liu et al. 2023, EfficientViT: cascaded group attention (timm)",
    "starnet_s050": "Ma et al. 2024, Rewrite the Stars: StarNet (timm)",
    "efficientnet_b0": "Tan and Le 2019, EfficientNet (timm)",
    "resnet18": "He et al. 2016, ResNet (timm)",
}
TORCHVISION = {
    "shufflenet_v2_x0_5": "Ma et al. 2018, ShuffleNetV2 (torchvision)",
    "shufflenet_v2_x1_0": "Ma et al. 2018, ShuffleNetV2 (torchvision)",
}


def build_shufflenet(
    name: str, *, num_classes: int = 4, in_chans: int = 1, pretrained: bool = False, **options: Any
) -> nn.Module:
    """ShuffleNetV2 with a grey stem; with ``pretrained``, downloaded weights behind the change of range."""
    if options:
        raise TypeError(f"{name} has no option {', '.join(options)}")

    def build(channels: int) -> nn.Module:
        network = torchvision_network(name, pretrained=pretrained)
        stem, head = network.conv1, network.fc
        assert isinstance(stem, nn.Sequential)
        assert isinstance(head, nn.Linear)
        first = stem[0]
        assert isinstance(first, nn.Conv2d)
        if channels != first.in_channels:
            stem[0] = nn.Conv2d(channels, first.out_channels, 3, stride=2, padding=1, bias=False)
        network.fc = nn.Linear(head.in_features, num_classes)
        return network

    return adapted(build, in_chans, pretrained=pretrained)


for _name, _source in TIMM.items():
    register(_name, source=_source, family="lightweight", weights="download")(partial(build_timm, _name))
for _name, _source in TORCHVISION.items():
    register(_name, source=_source, family="lightweight", weights="download")(partial(build_shufflenet, _name))
register(
    LITE0,
    source="Tan and Le 2019, EfficientNet; Lite0 by Google (timm), ImageNet weights by ML Illustrated 2020",
    family="lightweight",
    weights="package",
)(build_lite0)
