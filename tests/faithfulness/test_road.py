"""Noisy linear imputation and ROAD, against their definition and the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer, ROADCombined
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

from myosono.faithfulness import noisy_linear_imputation, random_map, removal_ranks, road

SIDE = 32


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return np.clip(120 + 60 * random_map((6, 6), (SIDE, SIDE), rng), 0, 255).astype(np.float32)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("grid", [(4, 4), (SIDE, SIDE)])
def test_imputation_is_that_of_the_published_code(image, share, grid):
    rng = np.random.default_rng(1)
    relevance = random_map(grid, image.shape, rng)
    removed = removal_ranks(relevance, rng) < share * image.size
    ours = noisy_linear_imputation(image, removed, rng, noise=0)
    published = NoisyLinearImputer(noise=0)(torch.from_numpy(image)[None], torch.from_numpy(~removed).float())
    np.testing.assert_allclose(ours, published[0].numpy(), atol=1e-2)
    np.testing.assert_array_equal(ours[~removed], image[~removed])


def test_a_hole_in_a_ramp_is_filled_with_the_ramp():
    ramp = np.add.outer(2.0 * np.arange(20), 3.0 * np.arange(30)).astype(np.float32)
    removed = np.zeros(ramp.shape, dtype=bool)
    removed[5:12, 8:21] = True
    np.testing.assert_allclose(
        noisy_linear_imputation(ramp, removed, np.random.default_rng(0), noise=0), ramp, atol=1e-3
    )


def test_noise_has_the_stated_strength(image):
    removed = np.zeros(image.shape, dtype=bool)
    removed[4:28, 4:28] = True
    clean = noisy_linear_imputation(image, removed, np.random.default_rng(0), noise=0)
    noisy = noisy_linear_imputation(image, removed, np.random.default_rng(0), noise=3)
    assert (noisy - clean)[removed].std() == pytest.approx(3, rel=0.1)


def test_nothing_removed_and_everything_removed(image):
    none, everything = np.zeros(image.shape, dtype=bool), np.ones(image.shape, dtype=bool)
    np.testing.assert_array_equal(noisy_linear_imputation(image, none, np.random.default_rng(0)), image)
    with pytest.raises(ValueError, match="no pixel is left"):
        noisy_linear_imputation(image, everything, np.random.default_rng(0))


class Linear(torch.nn.Module):
    """Two classes by a weighted sum of pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.from_numpy(weights).float()

    def forward(self, x):
        score = (x[:, 0] * self.weights).sum(dim=(1, 2))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_road_is_that_of_pytorch_grad_cam(image):
    rng = np.random.default_rng(3)
    weights = random_map((5, 5), image.shape, rng) / 40
    network, standardised = Linear(weights), (image - 120) / 50

    def predict(images):
        with torch.no_grad():
            return torch.softmax(network(torch.from_numpy((images - 120) / 50)[:, None]), dim=1).numpy()

    contribution = weights * standardised
    shares = (0.1, 0.3, 0.5, 0.7, 0.9)
    ours = road(predict, image, removal_ranks(contribution, rng), 1, rng, shares=shares)
    torch.manual_seed(0)
    theirs = ROADCombined(percentiles=[100 * share for share in shares])(
        torch.from_numpy(standardised)[None, None].float(),
        contribution[None].astype(np.float32),
        [ClassifierOutputSoftmaxTarget(1)],
        network,
    )
    assert ours.combined == pytest.approx(float(theirs[0]), abs=0.01)
    assert ours.combined > 0.1
    reverse = road(predict, image, removal_ranks(-contribution, rng), 1, rng, shares=shares)
    assert reverse.combined == pytest.approx(-ours.combined, abs=0.02)
