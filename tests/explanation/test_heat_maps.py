"""Maps of a STANet by each method, and the weights drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from myosono.evaluation import PatientBootstrap
from myosono.explanation import METHODS, Network, layers, randomised
from myosono.explanation.heat_maps import ignorant_maps
from myosono.explanation.randomisation import CHECKED, fresh_network, randomisation_check
from myosono.networks import create_model


@pytest.fixture(scope="module")
def trained():
    """Weights unlike those of any fresh network: batch statistics and classifier moved away from their start."""
    torch.manual_seed(5)
    network = create_model("stanet_xs", num_classes=3)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 1, 64, 96))
        network.classifier.weight.normal_()
        network.classifier.bias.normal_()
    return network.eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (3, 64, 96)).astype(np.float32)


@pytest.fixture(scope="module")
def maps(trained, images):
    return Network(trained).maps(images)


def test_every_method_has_a_map_of_every_image(maps, images):
    knowing = [method.name for method in METHODS if method.knows]
    assert list(maps.maps) == knowing
    assert all(found.shape == images.shape and np.isfinite(found).all() for found in maps.maps.values())
    assert maps.grid == (2, 3)
    assert maps.grids["grad_cam_earlier"] == (4, 6)


def test_the_predicted_class_is_explained_unless_another_is_asked_for(trained, images, maps):
    network = Network(trained)
    np.testing.assert_array_equal(maps.targets, network.predict(images).argmax(axis=1))
    others = (maps.targets + 1) % 3
    asked = network.maps(images, others)
    np.testing.assert_array_equal(asked.targets, others)
    assert not np.allclose(asked.maps["class_map"], maps.maps["class_map"])
    np.testing.assert_allclose(asked.maps["shrinkage"], maps.maps["shrinkage"])


def test_grad_cam_of_the_last_stage_is_the_positive_part_of_the_class_map(trained, images, maps):
    with torch.no_grad():
        inputs = torch.from_numpy((images[:, None] - 60) / 50)
        explained = trained.explain(inputs)
    for place, target in enumerate(maps.targets):
        positive = explained.class_maps[place, int(target)].clamp_min(0)[None, None]
        fine = functional.interpolate(positive, size=images.shape[1:], mode="bilinear")[0, 0].double().numpy()
        scaled = (fine - fine.min()) / (fine.max() - fine.min())
        found = maps.maps["grad_cam"][place]
        np.testing.assert_allclose((found - found.min()) / (found.max() - found.min()), scaled, atol=2e-3)


def test_maps_that_know_nothing_do_not_depend_on_the_image(images):
    by_name = {method.name: method for method in METHODS if not method.knows}
    rng = np.random.default_rng(0)
    assert len(ignorant_maps(by_name["random"], (2, 3), (64, 96), rng)) == by_name["random"].draws > 1
    (pixels,) = ignorant_maps(by_name["random_pixels"], (2, 3), (64, 96), rng)
    assert abs(np.corrcoef(pixels[:, 1:].ravel(), pixels[:, :-1].ravel())[0, 1]) < 0.1
    first, second = (ignorant_maps(by_name["centre"], (2, 3), (64, 96), rng)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_layers_cover_every_weight_once(trained):
    names = layers(trained)
    assert names[0] == "classifier"
    assert names[-1] == "stem"
    for key in trained.state_dict():
        assert sum(key.startswith(f"{name}.") for name in names) == 1, key


def test_only_the_named_layers_are_drawn_anew(trained):
    fresh = fresh_network(trained, seed=1)
    before, after = trained.state_dict(), randomised(trained, fresh, ["classifier", "stem"]).state_dict()
    for key, value in after.items():
        source = fresh.state_dict() if key.startswith(("classifier.", "stem.")) else before
        assert torch.equal(value, source[key]), key
    everything = randomised(trained, fresh, layers(trained)).state_dict()
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in everything.items())


def test_a_fresh_network_depends_on_its_seed_and_leaves_the_generator_alone(trained):
    state = torch.random.get_rng_state()
    first, again, other = (fresh_network(trained, seed).classifier.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_check_covers_methods_ways_layers_and_what_must_hold_by_construction(trained, images):
    patients = ["A", "B", "B"]
    bootstrap = PatientBootstrap(patients, resamples=20, seed=0)
    rows = list(randomisation_check(trained, images, patients, bootstrap, draws=2, seed=0))
    assert len(rows) == len(CHECKED) * 3 * (2 * len(layers(trained)) + 1)
    found = {(row.method, row.way, row.layer, row.measure): row.estimate.value for row in rows}
    # The classifier comes after the last threshold, so that no weight of it can move the shrinkage map.
    assert found["shrinkage", "cascading", "classifier", "rank"] == pytest.approx(1)
    assert found["class_map", "cascading", "classifier", "rank"] < 0.999
    for method in CHECKED:
        top = (found[method, way, "classifier", "ssim"] for way in ("cascading", "independent"))
        assert len(set(top)) == 1, "the first step of the cascade is that layer alone"
        assert found[method, "cascading", "stem", "rank_size"] >= abs(found[method, "cascading", "stem", "rank"])
