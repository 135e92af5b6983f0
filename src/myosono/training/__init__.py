"""Training: a cohort and a recipe become a run folder."""

from __future__ import annotations

from myosono.training.recipe import Augmentation, Recipe, load_recipe
from myosono.training.run import Run
from myosono.training.train import train

__all__ = ["Augmentation", "Recipe", "Run", "load_recipe", "train"]
