"""Numbered views: the same number is the same pixels, and mixing is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from myosono.training.augment import Augmenter
from myosono.training.data import ImageRows
from myosono.training.recipe import Augmentation
from myosono.training.views import Views, derive_seed

ROWS = np.array([2, 3, 5, 7])
STILL = Augmentation(
    flip=False, shift=0, scale=0, rotation=0, depth_crop=0, gain=0, contrast=0, tgc=0, speckle=0
)  # fmt: skip


def make_views(mixup: float = 0.0, *, settings: Augmentation | None = None, fold: int = 0) -> Views:
    inputs = np.random.default_rng(0).uniform(-1, 3, (8, 1, 64, 64)).astype(np.float32)
    data = ImageRows(inputs, ROWS, np.array([0, 1, 2, 1]))
    return Views(data, Augmenter(settings or Augmentation(), mean=60.0, std=50.0), mixup=mixup, seed=0, fold=fold)


def test_a_view_is_the_same_whoever_asks_and_beside_whichever_images():
    together = make_views(1.0).batch([2, 3, 5, 7], 4)
    alone = make_views(1.0).batch([5], 4)
    assert torch.equal(together.images[2], alone.images[0])
    assert together.partners[2] == alone.partners[0]
    assert together.shares[2] == alone.shares[0]


@pytest.mark.parametrize("other", [{"number": 1}, {"fold": 1}])
def test_another_number_or_fold_is_another_view(other):
    first = make_views().batch([3], 0)
    second = make_views(fold=other.get("fold", 0)).batch([3], other.get("number", 0))
    assert not torch.equal(first.images, second.images)


def test_without_mixing_an_image_is_all_its_own():
    views = make_views(settings=STILL)
    batch = views.batch([7, 3], 0)
    assert batch.shares.tolist() == [1.0, 1.0]
    assert batch.partners.tolist() == [1, 1]
    torch.testing.assert_close(batch.images, torch.from_numpy(views.data.inputs[[7, 3]]), atol=1e-4, rtol=0)


def test_a_mixed_view_is_its_shares_of_two_training_images():
    views = make_views(1.0, settings=STILL)
    batch = views.batch(ROWS.tolist(), 9)
    assert ((batch.shares >= 0.5) & (batch.shares < 1)).all()
    for image, row, partner, share in zip(batch.images, ROWS, batch.partners, batch.shares, strict=True):
        rest = (image - share * torch.from_numpy(views.data.inputs[row])) / (1 - share)
        nearest = min(ROWS, key=lambda other: float((rest - torch.from_numpy(views.data.inputs[other])).abs().mean()))
        torch.testing.assert_close(rest, torch.from_numpy(views.data.inputs[nearest]), atol=0.02, rtol=0)
        assert views.data.targets[views.place[int(nearest)]] == partner


def test_a_row_outside_the_training_set_has_no_view():
    with pytest.raises(KeyError):
        make_views().batch([4], 0)


def test_near_positions_have_unrelated_seeds():
    seeds = {derive_seed(0, 0, epoch, batch) for epoch in range(20) for batch in range(20)}
    assert len(seeds) == 400
