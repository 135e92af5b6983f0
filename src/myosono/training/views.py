"""Numbered views of training images: the same number is the same pixels, whoever asks and whenever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from myosono.training.augment import Augmenter
from myosono.training.data import ImageRows


def derive_seed(*position: int) -> int:
    """A seed for this position of a run; near positions give unrelated seeds."""
    return int(np.random.SeedSequence(position).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True)
class ViewBatch:
    """Views of some images.

    Attributes
    ----------
    images
        ``(N, 1, H, W)``, standardised.
    partners
        ``(N,)``: class index of the image that was mixed in; without mixing, of the image itself.
    shares
        ``(N,)``: share of the image itself, from 0.5 to 1.
    """

    images: Tensor
    partners: Tensor
    shares: Tensor


class Views:
    """Augmented and, if asked, mixed views of a fold's training images.

    Parameters
    ----------
    data
        The training images; partners are drawn from them alone.
    augment
        Applied to the image and to its partner.
    mixup
        ``a`` of the Beta(a, a) from which shares are drawn (Zhang et al. 2018, mixup); 0 mixes nothing.
    seed, fold
        A view depends on these, its row and its number.
    """

    def __init__(self, data: ImageRows, augment: Augmenter, *, mixup: float, seed: int, fold: int) -> None:
        self.data, self.augment, self.mixup = data, augment, mixup
        self.seed, self.fold = seed, fold
        self.place = {int(row): place for place, row in enumerate(data.rows)}

    def batch(self, rows: Sequence[int], number: int) -> ViewBatch:
        """View ``number`` of each of these rows of the prepared inputs.

        Raises
        ------
        KeyError
            If a row is no training image.
        """
        images, partners, shares = zip(*(self._view(self.place[row], row, number) for row in rows), strict=True)
        return ViewBatch(torch.cat(images), torch.tensor(partners), torch.tensor(shares, dtype=torch.float32))

    def _view(self, place: int, row: int, number: int) -> tuple[Tensor, int, float]:
        position = (self.seed, self.fold, row, number)
        drawn = torch.Generator().manual_seed(derive_seed(*position))
        image, target, _ = self.data[place]
        view = self.augment(image[None], drawn)
        if self.mixup == 0:
            return view, target, 1.0
        rng = np.random.default_rng(position)
        share = float(rng.beta(self.mixup, self.mixup))
        share = max(share, 1 - share)  # the image stays the main one of its own view
        other, partner, _ = self.data[int(rng.integers(len(self.data)))]
        return share * view + (1 - share) * self.augment(other[None], drawn), partner, share
