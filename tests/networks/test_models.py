"""Every registered model, by one set of tests; then the registry, and what is said of some."""

from __future__ import annotations

import pytest
import timm
import torch

from myosono.errors import ModelError
from myosono.networks import create_model, list_models, measure_cost, model_kind, record

NETWORKS = list_models(kind="network")
HEAVY = ["alexnet", "dual_branch", "vgg16", "vgg19"]
OURS = list_models(family="ours") + list_models(family="ablation")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_classifies_grey_learns_and_has_a_cost(name):
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, in_chans=1).eval()
    sizes = [64] if name in HEAVY else [128, 224]
    for size in sizes:
        with torch.no_grad():
            logits = model(torch.randn(2, 1, size, size))
        assert logits.shape == (2, 3)
        assert torch.isfinite(logits).all()
    model.train()(torch.randn(2, 1, 64, 64)).logsumexp(1).sum().backward()
    parameters = dict(model.named_parameters())
    assert not [key for key, parameter in parameters.items() if parameter.grad is None]
    assert next(iter(parameters.values())).grad.abs().sum() > 0
    cost = measure_cost(model, (1, 64, 64))
    assert cost.macs > cost.params / 100 > 0


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in HEAVY])
def test_every_small_network_takes_colour_and_any_number_of_classes(name):
    with torch.no_grad():
        assert create_model(name, num_classes=7, in_chans=3).eval()(torch.randn(1, 3, 64, 64)).shape == (1, 7)


@pytest.mark.parametrize("name", [*OURS, "dual_branch", "alexnet"])
def test_none_of_our_networks_works_in_place(name):
    assert not [m for m in create_model(name).modules() if getattr(m, "inplace", False)]


@pytest.mark.parametrize("name", [*OURS, "dual_branch", "shufflenet_v2_x0_5"])
def test_names_that_timm_lacks_are_registered_with_it(name):
    model = timm.create_model(name, num_classes=5, in_chans=1).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 1, 64, 64)).shape == (1, 5)


def test_timm_keeps_its_own_under_a_name_that_both_know():
    assert type(timm.create_model("vgg16", num_classes=2, in_chans=1)).__module__.startswith("timm.")


def test_every_record_names_its_source_and_family():
    for name in list_models():
        assert record(name).source
        assert name in list_models(record(name).family, record(name).kind)
    assert sum(len(list_models(family)) for family in ("ours", "published", "lightweight", "ablation")) == len(
        list_models()
    )


@pytest.mark.parametrize(("name", "limit"), [("stanet_s", 87.1e6), ("stanet_xs", 35e6)])
def test_cost_stays_within_the_published_budget(name, limit):
    assert measure_cost(create_model(name, num_classes=4), (1, 224, 224)).macs <= limit


def test_dual_branch_costs_what_the_paper_says_and_the_flagship_a_quarter_percent_of_it():
    # 15.35 + 19.51 GMAC of its two feature extractors at 224x224 RGB.
    dual = measure_cost(create_model("dual_branch", in_chans=3), (3, 224, 224)).macs
    assert dual == pytest.approx(34.85e9, rel=0.001)
    assert measure_cost(create_model("stanet_s"), (1, 224, 224)).macs <= 0.0025 * dual


def test_an_estimator_has_no_network():
    assert model_kind("rf_engineered") == "estimator"
    with pytest.raises(ModelError, match=r"estimator.*myosono train COHORT --model rf_engineered"):
        create_model("rf_engineered")


def test_unknown_names_and_options_are_named():
    with pytest.raises(ModelError, match=r"unknown network 'stanet_z'.*stanet_s"):
        create_model("stanet_z")
    with pytest.raises(ModelError, match="widht"):
        create_model("stanet_s", widht=3)
    with pytest.raises(ModelError, match="widht"):
        create_model("shufflenet_v2_x0_5", widht=3)
    with pytest.raises(ModelError, match="no pretrained weights"):
        timm.create_model("stanet_s_se", pretrained=True)
    with pytest.raises(ModelError, match=r"no pretrained weights.*stanet_s, tf_efficientnet_lite0"):
        create_model("stanet_xs", pretrained=True)


def test_any_timm_name_works():
    assert "lcnet_035" not in list_models()
    with torch.no_grad():
        assert create_model("lcnet_035", num_classes=3).eval()(torch.randn(1, 1, 64, 64)).shape == (1, 3)
