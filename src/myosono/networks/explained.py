"""Class maps of the peers: any network that ends in average pooling and one linear layer has them exactly.

So a peer can be exported, read with and stressed as ours are, on the same terms. Where something not linear stands
between pooling and classes (MobileNetV3, GhostNet), no map is exact, and the network is refused.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from myosono.errors import ModelError
from myosono.networks.imagenet import ImageNetInput
from myosono.networks.stanet import Explained, STANet

_TOLERANCE = 1e-4
_SIDE = 64


class ExplainedPeer(nn.Module):
    """A peer with the class maps of its linear layer (Zhou et al. 2016, CAM); it has no threshold, so nothing shrinks.

    Parameters
    ----------
    network
        From `create_model`, in any state.
    name
        For the message.

    Raises
    ------
    ModelError
        If its logits are not the means of class maps plus a bias.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        inner = network.network if isinstance(network, ImageNetInput) else network
        # timm's networks name their parts; torchvision's ShuffleNetV2 keeps them in this order.
        classifier = getattr(inner, "get_classifier", None)
        head = classifier() if callable(classifier) else getattr(inner, "fc", None)
        if not isinstance(head, nn.Linear) or not (hasattr(inner, "forward_features") or hasattr(inner, "conv5")):
            raise _inexact(name)
        # In a list, so that the layers belong to the network alone.
        self._parts = [inner, head]
        self._check(name)

    @torch.no_grad()
    def _check(self, name: str) -> None:
        first = next(module for module in self.network.modules() if isinstance(module, nn.Conv2d))
        x = torch.linspace(-1, 1, first.in_channels * _SIDE**2).reshape(1, first.in_channels, _SIDE, _SIDE)
        training = self.network.training
        self.network.eval()
        try:
            apart = float((self.explain(x).logits - self(x)).abs().max())
        except RuntimeError as error:  # the features have another width than the head expects
            raise _inexact(name) from error
        finally:
            self.network.train(training)
        if not apart <= _TOLERANCE:
            raise _inexact(name)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, in_chans, H, W)``."""
        logits: Tensor = self.network(x)
        return logits

    def explain(self, x: Tensor) -> Explained:
        """Logits with class maps and embedding; the shrinkage is 0 everywhere."""
        inner, head = self._parts
        if isinstance(self.network, ImageNetInput):
            x = x * self.network.scale + self.network.shift
        features = self._features(inner, x)
        embedding = features.mean(dim=(2, 3))
        nothing = torch.zeros_like(features[:, 0])
        assert isinstance(head, nn.Linear)
        return Explained(
            logits=head(embedding),
            class_maps=torch.einsum("nchw,kc->nkhw", features, head.weight),
            shrinkage=nothing,
            shrinkage_fraction=nothing.mean(dim=(1, 2)),
            embedding=embedding,
        )

    @staticmethod
    def _features(inner: nn.Module, x: Tensor) -> Tensor:
        if hasattr(inner, "forward_features"):
            features: Tensor = inner.forward_features(x)  # type: ignore[operator]
            return features
        for name in ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"):
            x = inner.get_submodule(name)(x)
        return x


Explainable = STANet | ExplainedPeer
"""What an artefact can be made of."""


def explainable(network: nn.Module, name: str) -> Explainable:
    """The network itself if it is ours, else with its class maps.

    Raises
    ------
    ModelError
        If it has none.
    """
    return network if isinstance(network, STANet) else ExplainedPeer(network, name)


def _inexact(name: str) -> ModelError:
    return ModelError(
        f"{name} has no exact class maps: it does not end in average pooling and one linear layer",
        remedy="Train it and compare it all the same; what is exported must explain itself",
    )
