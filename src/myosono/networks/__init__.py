"""Networks: soft-threshold attention, STANet, and the published networks it is compared with.

Importing this room registers every network with timm as well.
"""

from __future__ import annotations

from myosono.networks import ablations as ablations
from myosono.networks import lightweight as lightweight
from myosono.networks import models as models
from myosono.networks import published as published
from myosono.networks.cost import Cost, measure_cost
from myosono.networks.dual_branch import DualBranch
from myosono.networks.preprocess import Preprocess
from myosono.networks.registry import Family, Kind, ModelRecord, create_model, list_models, model_kind, record
from myosono.networks.soft_threshold import SoftThreshold, shrinkage_map, soft_threshold
from myosono.networks.stanet import Explained, STANet, STANetConfig

__all__ = [
    "Cost",
    "DualBranch",
    "Explained",
    "Family",
    "Kind",
    "ModelRecord",
    "Preprocess",
    "STANet",
    "STANetConfig",
    "SoftThreshold",
    "create_model",
    "list_models",
    "measure_cost",
    "model_kind",
    "record",
    "shrinkage_map",
    "soft_threshold",
]
