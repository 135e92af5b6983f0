"""Class maps of the peers: exact where the head is linear, refused where it is not."""

from __future__ import annotations

import pytest
import torch

from myosono.errors import ModelError
from myosono.networks import STANet, create_model
from myosono.networks.explained import ExplainedPeer, explainable

LINEAR = ("shufflenet_v2_x0_5", "mobilenetv2_100", "resnet18", "tinynet_e")


@pytest.mark.parametrize(("name", "pretrained"), [*((n, False) for n in LINEAR), ("tf_efficientnet_lite0", True)])
def test_the_mean_of_a_map_and_the_bias_is_the_logit(name, pretrained):
    network = create_model(name, num_classes=3, pretrained=pretrained).eval()
    peer, x = explainable(network, name), torch.randn(2, 1, 96, 96)
    with torch.no_grad():
        told, logits = peer.explain(x), network(x)
        bias = network.fc.bias if hasattr(network, "fc") else peer._parts[1].bias
    torch.testing.assert_close(told.logits, logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(told.class_maps.mean(dim=(2, 3)) + bias, logits, atol=1e-4, rtol=1e-4)
    assert told.embedding.shape[0] == 2
    assert not told.shrinkage.any()
    assert told.shrinkage.shape[1:] == told.class_maps.shape[2:]


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "ghostnet_050", "vgg16", "dual_branch"])
def test_a_head_that_is_not_linear_is_refused(name):
    with pytest.raises(ModelError, match=f"{name} has no exact class maps"):
        explainable(create_model(name, num_classes=3), name)


def test_ours_explains_itself_and_a_peer_keeps_its_mode():
    ours = create_model("stanet_xs", num_classes=3)
    assert explainable(ours, "stanet_xs") is ours
    assert isinstance(ours, STANet)
    network = create_model("tinynet_e", num_classes=3).train()
    peer = explainable(network, "tinynet_e")
    assert isinstance(peer, ExplainedPeer)
    assert network.training
    assert len(list(peer.parameters())) == len(list(network.parameters()))
