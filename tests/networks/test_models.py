"""Every registered network, by one set of tests; then what is said of each."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from myosono.errors import ModelError
from myosono.networks import STANet, create_model, list_models, measure_cost, record

STANETS = ["stanet_s", "stanet_xs"]


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("channels", [1, 3])
def test_every_network_gives_logits_for_grey_and_colour(name, channels):
    model = create_model(name, num_classes=3, in_chans=channels).eval()
    with torch.no_grad():
        assert model(torch.randn(2, channels, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize("name", list_models())
def test_no_network_works_in_place(name):
    assert not [m for m in create_model(name).modules() if getattr(m, "inplace", False)]


@pytest.mark.parametrize("name", list_models())
def test_every_network_is_registered_with_timm(name):
    model = timm.create_model(name, num_classes=5, in_chans=1)
    assert model(torch.randn(2, 1, 64, 64)).shape == (2, 5)
    assert record(name).source


@pytest.mark.parametrize(("name", "limit"), [("stanet_s", 87.1e6), ("stanet_xs", 35e6)])
def test_cost_stays_within_the_published_budget(name, limit):
    assert measure_cost(create_model(name, num_classes=4), (1, 224, 224)).macs <= limit


def test_dual_branch_costs_what_the_paper_says_and_the_flagship_a_quarter_percent_of_it():
    dual = measure_cost(create_model("dual_branch", in_chans=3), (3, 224, 224)).macs
    assert dual == pytest.approx(34.85e9, rel=0.001)
    assert measure_cost(create_model("stanet_s"), (1, 224, 224)).macs <= 0.0025 * dual


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


def test_unknown_names_and_options_are_named():
    with pytest.raises(ModelError, match=r"unknown network 'stanet_z'.*stanet_s"):
        create_model("stanet_z")
    with pytest.raises(ModelError, match="widht"):
        create_model("stanet_s", widht=3)
    with pytest.raises(ModelError, match="no pretrained weights"):
        timm.create_model("stanet_s", pretrained=True)


def test_any_timm_name_works():
    with torch.no_grad():
        assert create_model("lcnet_050", num_classes=3).eval()(torch.randn(1, 1, 64, 64)).shape == (1, 3)
