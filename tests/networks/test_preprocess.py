from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from myosono.networks import Preprocess
from myosono.networks.preprocess import GREY_MEAN, GREY_STD


def test_any_size_becomes_a_standardised_square():
    out = Preprocess(64)(torch.full((200, 333), 60, dtype=torch.uint8))
    assert out.shape == (1, 1, 64, 64)
    torch.testing.assert_close(out, torch.full_like(out, (60 - GREY_MEAN) / GREY_STD))


def test_resizing_is_antialiased_as_pillow_does_it():
    image = np.random.default_rng(0).integers(0, 256, (498, 447), dtype=np.uint8)
    ours = Preprocess(128)(torch.from_numpy(image))[0, 0] * GREY_STD + GREY_MEAN
    theirs = np.asarray(Image.fromarray(image).resize((128, 128), Image.Resampling.BILINEAR), dtype=np.float32)
    assert np.abs(ours.numpy() - theirs).max() < 1.5  # Pillow rounds twice
