"""What is particular to STANet: sizes, class maps, explanations, determinism."""

from __future__ import annotations

from dataclasses import replace

import onnxruntime
import pytest
import torch
from torch import nn

from myosono.errors import ModelError
from myosono.networks import STANet, create_model, list_models
from myosono.networks.ablations import ABLATIONS

STANETS = ["stanet_s", "stanet_xs"]


@pytest.mark.parametrize("name", STANETS)
@pytest.mark.parametrize("size", [(64, 64), (65, 71), (224, 224), (97, 300)])
def test_any_size_from_64(name, size):
    with torch.no_grad():
        assert create_model(name).eval()(torch.randn(1, 1, *size)).shape == (1, 4)


def test_smaller_input_is_refused():
    with pytest.raises(ValueError, match="at least 64"):
        create_model("stanet_xs")(torch.randn(1, 1, 63, 64))


@pytest.mark.parametrize("name", STANETS + list_models(family="ablation"))
def test_class_maps_are_exact_and_explain_agrees_with_forward(name):
    torch.manual_seed(0)
    model = create_model(name).eval()
    assert isinstance(model, STANet)
    x = torch.randn(3, 1, 96, 80)
    with torch.no_grad():
        told, logits = model.explain(x), model(x)
        means = told.class_maps.mean(dim=(2, 3)) + model.classifier.bias
    torch.testing.assert_close(told.logits, logits)
    torch.testing.assert_close(means, logits)
    assert told.shrinkage.shape == told.class_maps.shape[:1] + told.class_maps.shape[2:]
    assert ((told.shrinkage_fraction >= 0) & (told.shrinkage_fraction <= 1)).all()
    assert told.embedding.shape == (3, model.num_features)
    assert bool((told.shrinkage_fraction > 0).all()) is (name != "stanet_s_no_attention")


@pytest.mark.parametrize("name", list_models(family="ablation"))
def test_an_ablation_changes_its_one_decision_and_no_other(name):
    changed, _ = ABLATIONS[name.removeprefix("stanet_s_")]
    flagship, ablation = create_model("stanet_s").config, create_model(name).config
    assert ablation == replace(flagship, **changed)
    assert ablation != flagship


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "softmax"}, "attention must be one of .*eca"),
        ({"attention": "eca", "shrinkage": "garrote"}, "belongs to a soft threshold"),
        ({"shrinkage": "hard"}, "shrinkage must be"),
        ({"convolutions": "dilated"}, "convolutions must be one of alternating"),
    ],
)
def test_impossible_decisions_are_named(options, message):
    with pytest.raises(ModelError, match=message):
        create_model("stanet_s", **options)


@pytest.mark.parametrize(("name", "depthwise"), [("stanet_s_separable", True), ("stanet_s_conventional", False)])
def test_uniform_blocks_have_convolutions_of_one_kind(name, depthwise):
    convolutions = [m for m in create_model(name).stages.modules() if isinstance(m, nn.Conv2d)]
    assert {m.groups > 1 for m in convolutions if m.kernel_size == (3, 3)} == {depthwise}


@pytest.mark.parametrize("name", ["stanet_s_se", "stanet_s_eca", "stanet_s_cbam", "stanet_s_garrote"])
def test_other_attentions_survive_export(name, tmp_path):
    model = create_model(name).eval()
    x = torch.randn(1, 1, 64, 64)
    torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=True, input_names=["input"], verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    with torch.no_grad():
        expected = model(x)
    torch.testing.assert_close(torch.tensor(session.run(None, {"input": x.numpy()})[0]), expected, atol=1e-4, rtol=0)


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
