"""The weights that ship: all but the classifier, for one layer table, told apart from others by hash."""

from __future__ import annotations

import json

import pytest
import torch

from myosono.errors import ModelError
from myosono.networks import create_model, starting_weights
from myosono.networks.starting_weights import (
    load_starting_weights,
    save_starting_weights,
    starting_weights_facts,
    starting_weights_sha256,
    weights_file,
)


def test_everything_but_the_classifier_is_the_files():
    torch.manual_seed(0)
    fresh = create_model("stanet_s", num_classes=3)
    torch.manual_seed(0)
    started = create_model("stanet_s", num_classes=3, pretrained=True)
    same = {key: torch.equal(value, fresh.state_dict()[key]) for key, value in started.state_dict().items()}
    assert all(same[key] for key in same if key.startswith("classifier"))
    assert not any(same[key] for key in same if key.endswith("conventional.0.weight"))


def test_the_file_says_what_it_was_learned_from():
    facts = starting_weights_facts("stanet_s")
    assert "EfficientNet-Lite0" in facts["learned_from"]
    assert json.loads(facts["recipe"])["views"] > 0
    assert weights_file("stanet_s").stat().st_size < 1_500_000
    assert len(starting_weights_sha256("stanet_s")) == 64
    assert starting_weights_sha256("lcnet_050") == ""


@pytest.mark.parametrize("changed", [{"depths": (1, 1, 2)}, {"in_chans": 3}, {"attention": "none"}])
def test_other_layers_have_no_starting_weights(changed):
    with pytest.raises(ModelError, match="own layer table and one grey channel"):
        create_model("stanet_s", pretrained=True, **changed)


def test_what_is_saved_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(starting_weights, "_FOLDER", tmp_path)
    network, other = (create_model("stanet_xs", num_classes=number) for number in (2, 5))
    save_starting_weights(network, weights_file("stanet_xs"), {"learned_from": "a test"})
    load_starting_weights(other, "stanet_xs")
    assert torch.equal(network.stem[0].weight, other.stem[0].weight)
    assert starting_weights_facts("stanet_xs") == {"learned_from": "a test"}
    weights_file("stanet_xs").write_bytes(b"half a file")
    with pytest.raises(ModelError, match="cannot be read"):
        load_starting_weights(other, "stanet_xs")
