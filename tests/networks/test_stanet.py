"""What is particular to STANet: sizes, class maps, explanations, determinism."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from myosono.networks import STANet, create_model

STANETS = ["stanet_s", "stanet_xs"]


@pytest.mark.parametrize("name", STANETS)
@pytest.mark.parametrize("size", [(64, 64), (65, 71), (224, 224), (97, 300)])
def test_any_size_from_64(name, size):
    with torch.no_grad():
        assert create_model(name).eval()(torch.randn(1, 1, *size)).shape == (1, 4)


def test_smaller_input_is_refused():
    with pytest.raises(ValueError, match="at least 64"):
        create_model("stanet_xs")(torch.randn(1, 1, 63, 64))


@pytest.mark.parametrize("name", STANETS)
@pytest.mark.parametrize("attention", ["soft_threshold", "soft_threshold_spatial", "none"])
def test_class_maps_are_exact_and_explain_agrees_with_forward(name, attention):
    torch.manual_seed(0)
    model = create_model(name, attention=attention).eval()
    assert isinstance(model, STANet)
    x = torch.randn(3, 1, 96, 80)
    with torch.no_grad():
        told, logits = model.explain(x), model(x)
        means = told.class_maps.mean(dim=(2, 3)) + model.classifier.bias
    torch.testing.assert_close(told.logits, logits)
    torch.testing.assert_close(means, logits)
    assert told.shrinkage.shape[0] == 3
    assert ((told.shrinkage_fraction >= 0) & (told.shrinkage_fraction <= 1)).all()
    assert told.embedding.shape == (3, model.num_features)
    assert bool((told.shrinkage_fraction > 0).all()) is (attention != "none")


def test_stages_alternate_depthwise_separable_and_conventional_convolution():
    model = create_model("stanet_s")
    kinds = [
        "depthwise" if m.groups > 1 else "conventional"
        for m in model.stages.modules()
        if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
    ]
    assert kinds == ["depthwise", "conventional"] * (len(kinds) // 2)


@pytest.mark.parametrize("name", STANETS)
def test_same_seed_same_weights(name):
    made = []
    for _ in range(2):
        torch.manual_seed(7)
        made.append(create_model(name).state_dict())
    assert all(torch.equal(a, b) for a, b in zip(made[0].values(), made[1].values(), strict=True))
