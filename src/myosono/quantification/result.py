"""What quantification says of an image, a site and a study: frozen dataclasses whose ``to_dict`` is JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from myosono.quantification.echo import EchoIntensity
from myosono.quantification.protocol import Completeness
from myosono.quantification.reference import ZScore
from myosono.quantification.region import Region
from myosono.quantification.texture import Texture
from myosono.quantification.thickness import Thickness

_Measure = TypeVar("_Measure", EchoIntensity, Thickness, Texture)


@dataclass(frozen=True)
class ImageQuantities:
    """Measures of one image.

    Attributes
    ----------
    region
        Where it was measured, None where there is no region.
    echo_intensity, muscle_thickness, subcutaneous_thickness, texture
        None where the region cannot be measured; `notes` say why.
    notes
        Who drew the region, and what limits the figures.
    """

    region: Region | None = field(repr=False)
    echo_intensity: EchoIntensity | None
    muscle_thickness: Thickness | None
    subcutaneous_thickness: Thickness | None
    texture: Texture | None
    notes: tuple[str, ...]

    @classmethod
    def none(cls, reason: str, region: Region | None = None) -> ImageQuantities:
        """Nothing measured, and why."""
        return cls(region, None, None, None, None, (reason,))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        parts = {
            "region": self.region,
            "echo_intensity": self.echo_intensity,
            "muscle_thickness": self.muscle_thickness,
            "subcutaneous_thickness": self.subcutaneous_thickness,
            "texture": self.texture,
        }
        plain: dict[str, Any] = {name: None if part is None else part.to_dict() for name, part in parts.items()}
        return {**plain, "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ImageQuantities:
        """What `to_dict` gave; the region comes back without its mask, which JSON does not hold.

        Raises
        ------
        KeyError, TypeError
            If ``plain`` is of another form.
        """
        region = plain["region"]
        return cls(
            region=None if region is None else Region(np.zeros((0, 0), bool), region["origin"], region["support"]),
            echo_intensity=_restored(EchoIntensity, plain["echo_intensity"]),
            muscle_thickness=_restored(Thickness, plain["muscle_thickness"]),
            subcutaneous_thickness=_restored(Thickness, plain["subcutaneous_thickness"]),
            texture=_restored(Texture, plain["texture"]),
            notes=tuple(plain["notes"]),
        )


def _restored(kind: type[_Measure], plain: Mapping[str, Any] | None) -> _Measure | None:
    return None if plain is None else kind(**plain)


@dataclass(frozen=True)
class SiteQuantities:
    """One muscle on one side of one patient, averaged over the images measured on one device.

    Attributes
    ----------
    images
        How many were measured.
    proposed
        Whether any of their regions was proposed by a network.
    muscle_thickness_mm, subcutaneous_thickness_mm
        None unless the pixel spacing of all is known.
    z_score
        None without a reference.
    muscle_thickness_at_least
        Whether the muscle is at least as thick as stated: its deep border is out of view in some of the images.
    notes
        What limits the figures, from the notes of the images.
    """

    patient_id: str
    muscle: str | None
    side: str | None
    device: str | None
    images: int
    proposed: bool
    echo_intensity: float
    muscle_thickness_mm: float | None
    subcutaneous_thickness_mm: float | None
    z_score: ZScore | None
    muscle_thickness_at_least: bool = False
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "patient_id": self.patient_id,
            "muscle": self.muscle,
            "side": self.side,
            "device": self.device,
            "images": self.images,
            "proposed": self.proposed,
            "echo_intensity": self.echo_intensity,
            "muscle_thickness_mm": self.muscle_thickness_mm,
            "subcutaneous_thickness_mm": self.subcutaneous_thickness_mm,
            "z_score": None if self.z_score is None else self.z_score.to_dict(),
            "muscle_thickness_at_least": self.muscle_thickness_at_least,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class StudyQuantities:
    """Sites, protocol completeness by patient, and what must be said with all of it."""

    sites: tuple[SiteQuantities, ...]
    protocols: dict[str, Completeness]
    region_model: dict[str, Any] | None
    reference: str | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "region_model": self.region_model,
            "reference": self.reference,
            "sites": [site.to_dict() for site in self.sites],
            "protocols": [{"patient_id": name, **item.to_dict()} for name, item in self.protocols.items()],
            "notes": list(self.notes),
        }
