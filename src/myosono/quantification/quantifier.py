"""`Quantifier`: from an image to its measures, and from the images of a study to sites, z-scores and completeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myosono.errors import ImageError, UsageError
from myosono.imaging import Area
from myosono.pooling import file_keys, mean_over_files
from myosono.quantification.echo import SATURATED, echo_intensity
from myosono.quantification.masks import find_mask, read_mask
from myosono.quantification.proposal import RegionModel
from myosono.quantification.protocol import MYOSITIS_PROTOCOL, Site, completeness
from myosono.quantification.reference import Reference, ZScore
from myosono.quantification.region import PROPOSED_NOTE, Region, check_shape
from myosono.quantification.result import ImageQuantities, SiteQuantities, StudyQuantities
from myosono.quantification.texture import texture_features
from myosono.quantification.thickness import CUT_OFF, NO_SPACING, cut_off, muscle_thickness, subcutaneous_thickness

LOW_SUPPORT = 0.90
"""Proposals that the network supports less than this are called doubtful."""

DOUBTFUL = "doubtful region"
"""How the note of a `LOW_SUPPORT` begins."""

_SITE_NOTES = {
    DOUBTFUL: f"{DOUBTFUL}: the network supports it by less than {LOW_SUPPORT:.0%}",
    SATURATED: f"part {SATURATED}",
    CUT_OFF: CUT_OFF,
    NO_SPACING: NO_SPACING,
}
"""What a site says where notes of its images hold the key: the same without the figures of one image."""

UNKNOWN_DEVICE = "device unknown: echo intensity is comparable only within one device and setting"
SETTINGS = "echo intensity and texture depend on gain, depth and preset: compare within one device and setting only"


@dataclass(frozen=True)
class MeasuredImage:
    """An image of a study, measured, with what tells where it belongs.

    ``usable`` is false of an image that shows no muscle that could be read: its site is still missing. ``file`` tells
    frames of one clip from other shots, as in `myosono.pooling`; without it every image is a shot of its own.
    """

    patient_id: str
    muscle: str | None
    side: str | None
    device: str | None
    quantities: ImageQuantities
    usable: bool = True
    file: str = ""


class Quantifier:
    """Measures muscle regions.

    Parameters
    ----------
    model
        Proposes regions; None opens the network that ships with myosono when the first proposal is needed.
    masks
        Folder of edited masks, named as `mask_names` says; an image without one gets a proposal.
    threads
        Threads of one inference; 0 lets the runtime choose.

    Raises
    ------
    UsageError
        If ``masks`` is no folder.

    Examples
    --------
    >>> image = np.full((120, 90), 40, np.uint8); image[30:80] = 100
    >>> mask = np.zeros(image.shape, bool); mask[30:80] = True
    >>> found = Quantifier().measure(image, region=Region.given(mask), spacing_mm=(0.1, 0.1))
    >>> found.echo_intensity.mean, found.muscle_thickness.mm, found.notes
    (100.0, 5.0, ('muscle region given as a mask',))
    """

    def __init__(self, model: RegionModel | None = None, *, masks: str | Path | None = None, threads: int = 0) -> None:
        self.masks = None if masks is None else Path(masks)
        if self.masks is not None and not self.masks.is_dir():
            raise UsageError(f"the folder of masks {self.masks} does not exist")
        self._model = model
        self._threads = threads

    @property
    def model(self) -> RegionModel:
        """The network that proposes regions, opened on first use."""
        if self._model is None:
            self._model = RegionModel(threads=self._threads)
        return self._model

    def region_of(
        self,
        image: NDArray[np.uint8],
        mask_name: str | None = None,
        *,
        area: Area | None = None,
        screen: tuple[int, int] | None = None,
    ) -> Region:
        """The edited mask of an image where there is one, else a proposal.

        Parameters
        ----------
        image
            B-mode image, uint8 ``(height, width)``.
        mask_name
            File name of its mask, by `mask_names`.
        area, screen
            Where the image lies in the screen, and the screen's ``(height, width)``.

        Raises
        ------
        ImageError
            If there is a mask that cannot be used.
        """
        if self.masks is not None and mask_name is not None:
            file = find_mask(self.masks, mask_name)
            if file is not None:
                return read_mask(file, (image.shape[0], image.shape[1]), area, screen)
        return self.model.propose(image)

    def measure(
        self, image: NDArray[np.uint8], *, region: Region | None = None, spacing_mm: tuple[float, float] | None = None
    ) -> ImageQuantities:
        """Measure one B-mode image.

        Parameters
        ----------
        image
            uint8 ``(height, width)``.
        region
            Where; None lets the network propose.
        spacing_mm
            ``(row, column)`` in millimetres, if known.

        Raises
        ------
        UsageError
            If the image is no grey image, or the region is of another size.
        """
        region = region or self.model.propose(image)
        check_shape(image, region.mask)
        if not region.measurable:
            return ImageQuantities.none("not measured: no muscle region of sufficient size", region)
        echo = echo_intensity(image, region.mask)
        doubtful = region.support is not None and region.support < LOW_SUPPORT
        notes = [
            region.note,
            *([f"{DOUBTFUL}: the network supports it by {region.support:.0%}"] if doubtful else []),
            *echo.notes,
            *([CUT_OFF] if cut_off(region.mask) else []),
            *([NO_SPACING] if spacing_mm is None else []),
        ]
        return ImageQuantities(
            region=region,
            echo_intensity=echo,
            muscle_thickness=muscle_thickness(region.mask, spacing_mm),
            subcutaneous_thickness=subcutaneous_thickness(region.mask, spacing_mm),
            texture=texture_features(image, region.mask),
            notes=tuple(notes),
        )

    def measure_in_mask(
        self,
        image: NDArray[np.uint8],
        mask_name: str,
        *,
        area: Area | None = None,
        screen: tuple[int, int] | None = None,
        spacing_mm: tuple[float, float] | None = None,
    ) -> ImageQuantities:
        """As `measure`, in the region of `region_of`; a mask that cannot be used is told in the notes."""
        try:
            region = self.region_of(image, mask_name, area=area, screen=screen)
        except ImageError as error:
            return ImageQuantities.none(f"not measured: {error}")
        return self.measure(image, region=region, spacing_mm=spacing_mm)

    def study(
        self,
        images: Sequence[MeasuredImage],
        *,
        reference: Reference | None = None,
        ages: Mapping[str, float] | None = None,
        sexes: Mapping[str, str] | None = None,
        across_devices: bool = False,
        protocol: tuple[Site, ...] = MYOSITIS_PROTOCOL,
    ) -> StudyQuantities:
        """Pool images to sites, score them, and say which muscles are missing.

        Parameters
        ----------
        images
            Of one or more patients.
        reference
            Normals; without them there is no z-score.
        ages, sexes
            By patient; sex is ``"F"`` or ``"M"``.
        across_devices
            Allow z-scores against another device's normals; each then says so.
        protocol
            Sites that a complete study shows.
        """
        groups: dict[tuple[str, str | None, str | None, str | None], list[MeasuredImage]] = {}
        for item in images:
            if item.quantities.echo_intensity is not None:
                key = (item.patient_id, item.muscle, item.side, item.device)
                groups.setdefault(key, []).append(item)
        sites = []
        for (patient, muscle, side, device), members in groups.items():
            site = _pool(patient, muscle, side, device, members)
            score = None
            if reference is not None:
                score = reference.z_score(
                    site.echo_intensity,
                    muscle=muscle,
                    side=side,
                    age=(ages or {}).get(patient),
                    sex=(sexes or {}).get(patient),
                    device=device,
                    across_devices=across_devices,
                )
            sites.append(_scored(site, score))
        patients = dict.fromkeys(item.patient_id for item in images)
        return StudyQuantities(
            sites=tuple(sites),
            protocols={
                name: completeness([(i.muscle, i.side) for i in images if i.patient_id == name and i.usable], protocol)
                for name in patients
            },
            region_model=None if self._model is None else self._model.to_dict(),
            reference=None if reference is None else f"{reference.source}; {reference.region}",
            notes=_study_notes(sites, images),
        )


def _pool(
    patient: str, muscle: str | None, side: str | None, device: str | None, members: Sequence[MeasuredImage]
) -> SiteQuantities:
    files = file_keys([item.file for item in members])
    measures = [item.quantities for item in members]
    echo = [one.echo_intensity.mean for one in measures if one.echo_intensity is not None]
    muscles = [None if one.muscle_thickness is None else one.muscle_thickness.mm for one in measures]
    above = [None if one.subcutaneous_thickness is None else one.subcutaneous_thickness.mm for one in measures]
    return SiteQuantities(
        patient_id=patient,
        muscle=muscle,
        side=side,
        device=device,
        images=len(members),
        proposed=any(one.region is not None and one.region.origin == "proposed" for one in measures),
        echo_intensity=mean_over_files(echo, files),
        muscle_thickness_mm=_mean(muscles, files),
        subcutaneous_thickness_mm=_mean(above, files),
        z_score=None,
        muscle_thickness_at_least=any(CUT_OFF in one.notes for one in measures),
        notes=_site_notes(measures),
    )


def _site_notes(measures: Sequence[ImageQuantities]) -> tuple[str, ...]:
    notes = []
    for key, text in _SITE_NOTES.items():
        count = sum(any(key in note for note in one.notes) for one in measures)
        if count:
            notes.append(text if count == len(measures) else f"{text} ({count} of {len(measures)} images)")
    return tuple(notes)


def _scored(site: SiteQuantities, score: ZScore | None) -> SiteQuantities:
    return replace(site, z_score=score)


def _mean(values: Sequence[float | None], files: Sequence[str | int]) -> float | None:
    known = [value for value in values if value is not None]
    return mean_over_files(known, files) if known and len(known) == len(values) else None


def _study_notes(sites: Sequence[SiteQuantities], images: Sequence[MeasuredImage]) -> tuple[str, ...]:
    notes = [SETTINGS]
    if any(site.proposed for site in sites):
        notes.append(PROPOSED_NOTE)
    devices = {image.device for image in images if image.device}
    if len(devices) > 1:
        notes.append(f"images of {len(devices)} devices ({', '.join(sorted(devices))}): not compared with each other")
    if any(image.device is None for image in images):
        notes.append(UNKNOWN_DEVICE)
    return tuple(notes)
