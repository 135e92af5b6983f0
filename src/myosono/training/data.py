"""Batches of one fold, in an order that depends on seed and epoch alone, so that a resumed run repeats it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler


class ImageRows(Dataset[tuple[Tensor, int, int]]):
    """Rows of the prepared inputs: ``(image, target, row)``."""

    def __init__(self, inputs: NDArray[np.float32], rows: NDArray[np.intp], targets: NDArray[np.intp]) -> None:
        self.inputs, self.rows, self.targets = inputs, rows, targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        row = int(self.rows[index])
        return torch.from_numpy(np.array(self.inputs[row])), int(self.targets[index]), row


class EpochOrder(Sampler[int]):
    """A permutation drawn from seed and epoch; Lightning calls `set_epoch`."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        return iter(order.tolist())


def training_batches(data: ImageRows, batch_size: int, seed: int) -> DataLoader[tuple[Tensor, int, int]]:
    """Shuffled batches; a last batch of one image is dropped, since batch norm cannot learn from it."""
    drop = len(data) % batch_size == 1
    return DataLoader(data, batch_size, sampler=EpochOrder(len(data), seed), drop_last=drop)


def ordered_batches(data: ImageRows, batch_size: int) -> DataLoader[tuple[Tensor, int, int]]:
    """Batches in row order, for validation and prediction."""
    return DataLoader(data, batch_size, shuffle=False)
