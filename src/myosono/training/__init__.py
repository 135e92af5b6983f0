"""Training: a cohort and a recipe become a run folder."""

from __future__ import annotations

from myosono.training.recipe import Augmentation, Recipe, load_recipe
from myosono.training.run import RUN_FORMAT, Run
from myosono.training.train import train

__all__ = ["RUN_FORMAT", "Augmentation", "Recipe", "Run", "load_recipe", "train"]
