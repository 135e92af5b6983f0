"""Muscle region: images with drawn or simulated borders become a small network that proposes borders."""

from __future__ import annotations

from myosono.training.segmentation.samples import Sample, read_aponeurosis_folder, simulate_samples
from myosono.training.segmentation.score import RegionScore, network_proposer, score_samples
from myosono.training.segmentation.split import group_samples, hold_out
from myosono.training.segmentation.train import RegionRecipe, train_region

__all__ = [
    "RegionRecipe",
    "RegionScore",
    "Sample",
    "group_samples",
    "hold_out",
    "network_proposer",
    "read_aponeurosis_folder",
    "score_samples",
    "simulate_samples",
    "train_region",
]
