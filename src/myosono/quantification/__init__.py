"""Quantitative muscle ultrasound beside the network: region, echo intensity, thickness, texture, z-score, completeness.

Needs the base install only. A region that a network proposed says so with every measure, and can be replaced by a mask.
"""

from __future__ import annotations

from myosono.quantification.echo import EchoIntensity, echo_intensity
from myosono.quantification.masks import (
    draw_region,
    find_mask,
    folded_name,
    mask_names,
    read_mask,
    unused_masks,
    unused_note,
    write_mask,
)
from myosono.quantification.normals import NormalModel, SiteMeasure
from myosono.quantification.proposal import RegionModel
from myosono.quantification.protocol import MYOSITIS_PROTOCOL, Completeness, completeness, site_name
from myosono.quantification.quantifier import MeasuredImage, Quantifier
from myosono.quantification.reference import MINIMUM_NORMALS, Reference, ZScore, fit_reference, require_minimum
from myosono.quantification.region import GIVEN_NOTE, PROPOSED_NOTE, Region
from myosono.quantification.result import ImageQuantities, SiteQuantities, StudyQuantities
from myosono.quantification.texture import Texture, texture_features
from myosono.quantification.thickness import Thickness, muscle_thickness, subcutaneous_thickness

__all__ = [
    "GIVEN_NOTE",
    "MINIMUM_NORMALS",
    "MYOSITIS_PROTOCOL",
    "PROPOSED_NOTE",
    "Completeness",
    "EchoIntensity",
    "ImageQuantities",
    "MeasuredImage",
    "NormalModel",
    "Quantifier",
    "Reference",
    "Region",
    "RegionModel",
    "SiteMeasure",
    "SiteQuantities",
    "StudyQuantities",
    "Texture",
    "Thickness",
    "ZScore",
    "completeness",
    "draw_region",
    "echo_intensity",
    "find_mask",
    "fit_reference",
    "folded_name",
    "mask_names",
    "muscle_thickness",
    "read_mask",
    "require_minimum",
    "site_name",
    "subcutaneous_thickness",
    "texture_features",
    "unused_masks",
    "unused_note",
    "write_mask",
]
