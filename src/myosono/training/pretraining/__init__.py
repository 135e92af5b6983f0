"""Starting weights for our networks: they learn to see as a network with ImageNet weights does, from free images."""

from myosono.training.pretraining.bank import Bank, make_bank
from myosono.training.pretraining.fit import pretrain
from myosono.training.pretraining.recipe import PretrainingRecipe

__all__ = ["Bank", "PretrainingRecipe", "make_bank", "pretrain"]
