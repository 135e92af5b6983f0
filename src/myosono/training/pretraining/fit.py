"""Fit a network to the teacher's answers; stopped, it goes on from its last epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Dataset

from myosono.networks import create_model
from myosono.networks.preprocess import GREY_MEAN, GREY_STD
from myosono.networks.stanet import STANet
from myosono.progress import progress_bar
from myosono.training.data import EpochOrder
from myosono.training.lightning import fit, plain_trainer, silent
from myosono.training.optimization import schedule_factor
from myosono.training.pretraining.bank import Bank
from myosono.training.pretraining.recipe import PretrainingRecipe

HELD_OUT = 0.02
"""Share of the views, the last ones, that tell how much of the teacher the student explains."""


class Pupil(pl.LightningModule):
    """A network whose feature maps, through one linear layer, are to equal the teacher's.

    The loss is the mean square error at every position plus that of the mean over positions, each relative to the
    variance of its target: 1 means that nothing is explained.
    """

    def __init__(self, model: str, recipe: PretrainingRecipe, *, steps: int, pooled_variance: float) -> None:
        super().__init__()
        self.recipe, self.steps, self.pooled_variance = recipe, steps, pooled_variance
        network = create_model(model, num_classes=2, in_chans=1)
        assert isinstance(network, STANet)
        self.network = network.to(memory_format=torch.channels_last)
        self.project = nn.Conv2d(network.num_features, recipe.components, 1)

    def errors(self, views: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
        """Unexplained share at positions and of means, for uint8 views and answers ``(N, positions, components)``."""
        x = ((views[:, None].float() - GREY_MEAN) / GREY_STD).contiguous(memory_format=torch.channels_last)
        told = self.project(self.network.forward_features(x)).flatten(2).transpose(1, 2)
        target = answers.float()
        pooled = (told.mean(1) - target.mean(1)).square().mean() / self.pooled_variance
        return (told - target).square().mean(), pooled

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Sum of both."""
        everywhere, pooled = self.errors(*batch)
        return everywhere + pooled

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Of views that were not learned."""
        everywhere, pooled = self.errors(*batch)
        self.log_dict({"positions": everywhere, "pooled": pooled})

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine, stepped every batch."""
        recipe = self.recipe
        optimizer = torch.optim.AdamW(self.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        warmup = self.steps // recipe.epochs

        def factor(step: int) -> float:
            return schedule_factor("cosine", step, warmup=warmup, total=self.steps)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Batches(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches at once: one read of the memory map for each."""

    def __init__(self, bank: Bank, start: int) -> None:
        self.bank, self.start = bank, start

    def __getitem__(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        where = np.sort(np.asarray(rows)) + self.start
        return torch.from_numpy(self.bank.views[where]), torch.from_numpy(self.bank.answers[where])


class _EpochBatches(BatchSampler):
    """Other batches every epoch. Lightning calls `set_epoch` on a loader's sampler, not on one within it."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the batches of this epoch."""
        assert isinstance(self.sampler, EpochOrder)
        self.sampler.set_epoch(epoch)


def _loader(bank: Bank, start: int, stop: int, recipe: PretrainingRecipe) -> DataLoader[tuple[Tensor, Tensor]]:
    kind = _EpochBatches if recipe.reshuffle else BatchSampler
    order = EpochOrder(stop - start, recipe.seed)
    batches = kind(order, recipe.batch_size, drop_last=stop < len(bank.views))
    return DataLoader(_Batches(bank, start), sampler=batches, batch_size=None)


class _Watch(pl.Callback):
    """A bar, and a line of figures an epoch."""

    def __init__(self, epochs: int, quiet: bool) -> None:
        self.bar, self.epochs, self.figures = progress_bar(disable=quiet), epochs, list[dict[str, float]]()

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.start()
        self.task = self.bar.add_task("pretraining", total=self.epochs)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.figures.append({"epoch": trainer.current_epoch} | figures)
        told = f"pretraining, unexplained {figures['positions']:.3f}, of means {figures['pooled']:.3f}"
        self.bar.update(self.task, completed=trainer.current_epoch + 1, description=told)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self.bar.stop()


def pretrain(
    model: str, bank: Bank, work: str | Path, recipe: PretrainingRecipe, *, quiet: bool = False
) -> tuple[STANet, list[dict[str, float]]]:
    """Fit ``model`` to the bank.

    Parameters
    ----------
    model
        Name of a network of ours.
    bank
        Of `make_bank`.
    work
        Folder of the checkpoint; if one is there, the fit goes on from it.
    recipe
        Settings.
    quiet
        Without a progress bar.

    Returns
    -------
    STANet
        In evaluation mode; its classifier is fresh and of no use.
    list of dict
        Each epoch's unexplained shares on views that were not learned, ``positions`` and ``pooled``.
    """
    pl.seed_everything(recipe.seed, verbose=False)
    count = len(bank.views)
    learned = count - max(recipe.batch_size, round(HELD_OUT * count))
    pooled = bank.answers[: min(learned, 5000)].astype(np.float32).mean(1)
    pupil = Pupil(
        model,
        recipe,
        steps=recipe.epochs * (learned // recipe.batch_size),
        pooled_variance=float(pooled.var(axis=0).mean()),
    )
    watch, last = _Watch(recipe.epochs, quiet), Path(work) / f"{model}.ckpt"
    with silent():
        trainer = plain_trainer(
            recipe.epochs,
            accelerator="cpu",
            num_sanity_val_steps=0,
            gradient_clip_val=5.0,
            callbacks=[watch, ModelCheckpoint(last.parent, filename=model, enable_version_counter=False)],
        )
        fit(
            trainer,
            pupil,
            _loader(bank, 0, learned, recipe),
            _loader(bank, learned, count, recipe),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False if last.exists() else None,
        )
    return pupil.network.eval(), watch.figures
