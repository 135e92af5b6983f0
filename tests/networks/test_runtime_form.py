"""The form for export computes what the network computes, and changes nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from myosono.networks import create_model
from myosono.networks.runtime_form import RuntimeBlock, runtime_form
from myosono.networks.soft_threshold import SoftThreshold
from myosono.networks.stanet import STANet


def lively(name: str, **options: object) -> STANet:
    """A network whose thresholds differ between channels and whose norms are not the identity."""
    torch.manual_seed(3)
    network = create_model(name, num_classes=3, in_chans=1, **options)
    assert isinstance(network, STANet)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, SoftThreshold):
            nn.init.normal_(module.excite.weight, std=1.0)
    nn.init.normal_(network.classifier.weight)
    return network.eval()


@pytest.mark.parametrize("name", ["stanet_s", "stanet_xs", "stanet_s_separable", "stanet_s_conventional"])
@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (2, 1, 97, 130)])
@torch.no_grad()
def test_every_output_is_the_networks_own(name, shape):
    network = lively(name)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    formed = runtime_form(network)
    assert any(isinstance(module, RuntimeBlock) for module in formed.modules())
    torch.testing.assert_close(formed(images), network(images), atol=1e-4, rtol=1e-4)
    theirs, ours = network.explain(images), formed.explain(images)
    assert theirs.shrinkage_fraction.min() > 0.01
    for one, other in zip(vars(ours).values(), vars(theirs).values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "name", ["stanet_s_garrote", "stanet_s_spatial_threshold", "stanet_s_se", "stanet_s_no_attention"]
)
def test_other_attentions_stay_as_they_are(name):
    formed = runtime_form(lively(name))
    assert not any(isinstance(module, RuntimeBlock) for module in formed.modules())


def test_the_network_itself_is_not_touched():
    network = lively("stanet_xs").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    formed = runtime_form(network)
    assert network.training
    assert not formed.training
    assert not any(isinstance(module, RuntimeBlock) for module in network.modules())
    assert list(before) == list(network.state_dict())
    with torch.no_grad():
        formed.classifier.weight.zero_()
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())


def test_a_network_of_others_is_returned():
    peer = create_model("lcnet_050", num_classes=3, in_chans=1)
    assert runtime_form(peer) is peer


@torch.no_grad()
def test_a_dead_branch_shrinks_nothing():
    """Features of all zeros: no division by zero, no share removed."""
    network = lively("stanet_xs")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.zero_()
            module.bias.zero_()
            module.running_mean.zero_()
    told = runtime_form(network).explain(torch.randn(1, 1, 64, 64))
    assert torch.equal(told.shrinkage, torch.zeros_like(told.shrinkage))
    assert torch.isfinite(told.logits).all()
