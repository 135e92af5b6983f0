"""Loss and schedule of the region network."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional

from myosono.networks.region import RegionConfig, RegionNet
from myosono.training.segmentation.augment import IGNORED

_MUSCLE = 1


class RegionModule(pl.LightningModule):
    """Trains a `RegionNet`.

    Parameters
    ----------
    config
        Input size and widths.
    learning_rate, weight_decay
        Of AdamW; the rate warms up and falls as a cosine over ``steps``.
    steps
        Optimiser steps of the whole training.
    """

    def __init__(self, config: RegionConfig, *, learning_rate: float, weight_decay: float, steps: int) -> None:
        super().__init__()
        self.network = RegionNet(config).to(memory_format=torch.channels_last)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.steps = steps

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Cross-entropy plus one minus the Dice coefficient of muscle, over columns with known borders."""
        grey, tissue = batch
        loss = region_loss(self.network(grey.to(memory_format=torch.channels_last)), tissue)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(grey))
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.learning_rate, total_steps=self.steps, pct_start=0.15
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def region_loss(logits: Tensor, tissue: Tensor) -> Tensor:
    """Loss of logits ``(N, 3, H, W)`` for tissue ``(N, H, W)``; 0 is reached only by certainty."""
    known = tissue != IGNORED
    muscle = torch.softmax(logits, dim=1)[:, _MUSCLE] * known
    truth = ((tissue == _MUSCLE) & known).to(muscle.dtype)
    overlap = 2 * (muscle * truth).sum((1, 2)) + 1
    dice = overlap / (muscle.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return functional.cross_entropy(logits, tissue, ignore_index=IGNORED) + (1 - dice).mean()
