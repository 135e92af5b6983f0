"""Optimizers and schedules, ours and those of the recipes that peers were published with."""

from __future__ import annotations

import math

import torch
from torch import nn

from myosono.training.recipe import Recipe


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, Adam or SGD with momentum; norms and biases are never decayed.

    Parameters
    ----------
    network
        Whose parameters to optimise.
    recipe
        ``optimizer, learning_rate, weight_decay, momentum``.
    """
    plain = [p for p in network.parameters() if p.ndim <= 1]
    decayed = [p for p in network.parameters() if p.ndim > 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=recipe.learning_rate)


def schedule_factor(schedule: str, step: int, *, warmup: int, total: int) -> float:
    """What the learning rate is multiplied by at a step: linear warm-up to 1, then the schedule.

    Parameters
    ----------
    schedule
        ``cosine`` (to 0 at ``total``), ``step`` (a tenth after each third of ``total``, as torchvision's references
        do after each 30 of 90 epochs), or ``constant``.
    step
        From 0.
    warmup, total
        In steps.

    Examples
    --------
    >>> [schedule_factor("step", step, warmup=1, total=90) for step in (0, 29, 30)]
    [1.0, 1.0, 0.1]
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return float(0.1 ** min(2, 3 * step // total))
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))
