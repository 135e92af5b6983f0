from __future__ import annotations

import pytest
import torch

from myosono.networks.preprocess import GREY_MEAN, GREY_STD
from myosono.training.augment import Augmenter
from myosono.training.recipe import Augmentation

OFF = Augmentation(flip=False, shift=0, scale=0, rotation=0, depth_crop=0, gain=0, contrast=0, tgc=0, speckle=0)


def augment(settings: Augmentation, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return Augmenter(settings, mean=GREY_MEAN, std=GREY_STD)(images, torch.Generator().manual_seed(seed))


def images(count: int = 6) -> torch.Tensor:
    grey = torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(3)) * 255
    return (grey - GREY_MEAN) / GREY_STD


def test_all_off_changes_nothing():
    torch.testing.assert_close(augment(OFF, images()), images(), rtol=1e-4, atol=1e-4)


def test_same_generator_seed_same_images_and_another_differs():
    assert torch.equal(augment(Augmentation(), images(), 1), augment(Augmentation(), images(), 1))
    assert not torch.equal(augment(Augmentation(), images(), 1), augment(Augmentation(), images(), 2))


def test_grey_levels_stay_between_black_and_white():
    grey = augment(Augmentation(gain=40, tgc=40, contrast=0.5, speckle=0.5), images()) * GREY_STD + GREY_MEAN
    assert grey.min() >= -1e-3
    assert grey.max() <= 255.001


@pytest.mark.parametrize("seed", range(5))
def test_never_upside_down(seed):
    """A bright top stays at the top, whatever the strength."""
    ramp = torch.linspace(4, -1, 64).view(1, 1, 64, 1).expand(8, 1, 64, 64)
    out = augment(Augmentation(rotation=20, shift=0.1, scale=0.3, depth_crop=0.3), ramp, seed)
    assert (out[:, :, :16].mean(dim=(1, 2, 3)) > out[:, :, -16:].mean(dim=(1, 2, 3))).all()


def test_flip_mirrors_left_and_right_in_about_half():
    ramp = torch.linspace(-1, 4, 64).view(1, 1, 1, 64).expand(200, 1, 64, 64)
    out = augment(OFF.model_copy(update={"flip": True}), ramp)
    mirrored = (out[..., :8].mean(dim=(1, 2, 3)) > out[..., -8:].mean(dim=(1, 2, 3))).float().mean()
    assert 0.35 < mirrored < 0.65


def test_depth_crop_keeps_the_skin_and_cuts_the_bottom():
    ramp = torch.linspace(-1, 4, 64).view(1, 1, 64, 1).expand(50, 1, 64, 64)
    out = augment(OFF.model_copy(update={"depth_crop": 0.4}), ramp)
    torch.testing.assert_close(out[:, :, 0].mean(), ramp[:, :, 0].mean(), atol=0.05, rtol=0)
    assert (out[:, :, -1].mean(dim=(1, 2)) <= ramp[:, :, -1].mean() + 1e-3).all()
    assert out[:, :, -1].mean() < ramp[:, :, -1].mean() - 0.3


def test_black_stays_black_under_gain():
    black = torch.full((4, 1, 64, 64), -GREY_MEAN / GREY_STD)
    out = augment(OFF.model_copy(update={"gain": 40.0, "tgc": 40.0}), black)
    torch.testing.assert_close(out, black)
