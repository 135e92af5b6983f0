"""Train the region network; stopped, it goes on from its last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from myosono.errors import CohortError
from myosono.networks.region import RegionConfig, RegionNet
from myosono.progress import progress_bar
from myosono.training.lightning import fit, plain_trainer, silent
from myosono.training.segmentation.augment import RegionDataset
from myosono.training.segmentation.module import RegionModule
from myosono.training.segmentation.samples import Sample


@dataclass(frozen=True)
class RegionRecipe:
    """Settings of a training; fixed beforehand, none is chosen by what is held out."""

    epochs: int = 45
    batch_size: int = 16
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0


def train_region(
    samples: Sequence[Sample],
    out: str | Path,
    recipe: RegionRecipe | None = None,
    *,
    config: RegionConfig | None = None,
    quiet: bool = False,
) -> RegionNet:
    """Train on all ``samples``.

    Parameters
    ----------
    samples
        Training images; keep those to be measured on apart (`myosono.training.segmentation.hold_out`).
    out
        Folder of the checkpoint; if one of the same training is there, it goes on from it.
    recipe, config
        Settings, and the network's input size and widths.
    quiet
        Without a progress bar.

    Returns
    -------
    RegionNet
        In evaluation mode.

    Raises
    ------
    CohortError
        Fewer samples than one batch.
    """
    recipe, config = recipe or RegionRecipe(), config or RegionConfig()
    if len(samples) < recipe.batch_size:
        raise CohortError(f"{len(samples)} images are fewer than one batch of {recipe.batch_size}")
    pl.seed_everything(recipe.seed, verbose=False)
    data = _Epochs(samples, config, recipe)
    module = RegionModule(
        config,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        steps=recipe.epochs * (len(samples) // recipe.batch_size),
    )
    last = Path(out) / "last.ckpt"
    with silent():
        trainer = plain_trainer(
            recipe.epochs,
            accelerator="cpu",
            reload_dataloaders_every_n_epochs=1,
            callbacks=[
                _Progress(recipe.epochs, quiet=quiet),
                ModelCheckpoint(dirpath=str(out), filename="last", enable_version_counter=False),
            ],
        )
        fit(trainer, module, data, ckpt_path=str(last) if last.is_file() else None, weights_only=False)
    return module.network.eval()


class _Epochs(pl.LightningDataModule):
    """A loader for each epoch, decided by seed and epoch alone, so that a resumed training goes on as it would have."""

    def __init__(self, samples: Sequence[Sample], config: RegionConfig, recipe: RegionRecipe) -> None:
        super().__init__()
        self.samples = samples
        self.config = config
        self.recipe = recipe

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        assert self.trainer is not None
        epoch = self.trainer.current_epoch
        shuffle = torch.Generator().manual_seed(1_000_003 * self.recipe.seed + epoch)
        return DataLoader(
            RegionDataset(self.samples, self.config, seed=self.recipe.seed, epoch=epoch),
            batch_size=self.recipe.batch_size,
            # A fixed order: a shuffling sampler draws anew each time that an iterator is made, however often that is.
            sampler=torch.randperm(len(self.samples), generator=shuffle).tolist(),
            drop_last=True,
        )


class _Progress(Callback):
    def __init__(self, epochs: int, *, quiet: bool) -> None:
        self.epochs = epochs
        self.bar = progress_bar(disable=quiet)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.bar.start()
        self.task = self.bar.add_task("region network", total=self.epochs, completed=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        loss = float(trainer.callback_metrics["loss"])
        self.bar.update(self.task, advance=1, description=f"region network, loss {loss:.3f}")

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self.bar.stop()
