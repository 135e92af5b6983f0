"""Normal values from a cohort: measure its healthy patients, average their shots, fit each muscle and device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.cohort.schema import files_of
from myosono.cohort.store import Cohort
from myosono.errors import CohortError, ImageError
from myosono.pooling import mean_over_files
from myosono.progress import track
from myosono.quantification import (
    MINIMUM_NORMALS,
    Quantifier,
    Reference,
    SiteMeasure,
    fit_reference,
    mask_names,
    require_minimum,
    unused_note,
)

NORMAL = "Normal"
_SITE = ["patient_id", "muscle", "side", "device"]

Refusal = Callable[[NDArray[np.uint8]], str | None]
"""Why an image, uint8 ``(height, width)``, is not to be measured, or None."""


@dataclass(frozen=True)
class MeasuredNormals:
    """Normals of a cohort, measured.

    Attributes
    ----------
    sites
        One entry a patient, muscle, side and device.
    given
        How many images had an edited mask.
    left_out
        ``(file, reason)`` of each image that was not measured.
    """

    sites: tuple[SiteMeasure, ...]
    given: int
    left_out: tuple[tuple[str, str], ...]


def measure_sites(
    cohort: Cohort,
    *,
    label: str = NORMAL,
    quantifier: Quantifier | None = None,
    refusal: Refusal | None = None,
    quiet: bool = False,
) -> MeasuredNormals:
    """Echo intensity of each site of the patients of one label.

    Parameters
    ----------
    cohort
        With images.
    label
        Who is normal.
    quantifier
        Proposes regions or takes edited masks, ``<image name>_region.png``.
    refusal
        Refuses images as a reader does, so that normals are chosen as patients' images are; None measures all.
    quiet
        Without a progress bar.

    Raises
    ------
    CohortError
        No image of this label, or one that cannot be decoded.
    """
    quantifier = quantifier or Quantifier()
    named = cohort.table.assign(mask=_mask_names(cohort))
    normals = named[(named["label"] == label) & (named["muscle"] != "")]
    if normals.empty:
        labels = ", ".join(sorted(cohort.table["label"].unique()))
        raise CohortError(f"no image labelled {label!r} with a known muscle", remedy=f"Labels here: {labels}")
    levels, given, left_out = [], 0, []
    work = list(zip(normals["image_id"], normals["file"], normals["mask"], strict=True))
    for image_id, file, name in track(work, "measuring normals", disable=quiet):
        found = _level(cohort.image(str(image_id)), quantifier, name, refusal)
        given += not isinstance(found, str) and found[1]
        left_out += [(str(file), found)] if isinstance(found, str) else []
        levels.append(math.nan if isinstance(found, str) else found[0])
    measured = normals.assign(echo_intensity=levels).dropna(subset=["echo_intensity"])
    sites = tuple(_site(key, group) for key, group in measured.groupby(_SITE, sort=True))
    return MeasuredNormals(sites, given, tuple(left_out))


def _mask_names(cohort: Cohort) -> list[str]:
    """Of all images: what a mask is called does not depend on who is normal."""
    return mask_names([(str(file), 0) for file in cohort.table["file"]])


def _level(
    image: NDArray[np.uint8], quantifier: Quantifier, mask_name: str, refusal: Refusal | None
) -> tuple[float, bool] | str:
    """Echo intensity and whether its region was given as a mask; or why there is none."""
    reason = None if refusal is None else refusal(image)
    if reason is not None:
        return reason
    try:
        region = quantifier.region_of(image, mask_name)
    except ImageError as error:  # by the mask's name: a reference is passed on, and says nothing of this machine
        return f"{mask_name}: {error.reason}"
    found = quantifier.measure(image, region=region)
    if found.echo_intensity is None:
        return "; ".join(found.notes)
    return found.echo_intensity.mean, region.origin == "given"


def fit_cohort_reference(
    cohort: Cohort,
    *,
    label: str = NORMAL,
    minimum: int = MINIMUM_NORMALS,
    quantifier: Quantifier | None = None,
    refusal: Refusal | None = None,
    quiet: bool = False,
) -> Reference:
    """Fit normal echo intensity from the normals of a cohort.

    Parameters
    ----------
    cohort, label, quantifier, refusal, quiet
        As in `measure_sites`.
    minimum
        Fewest normals a muscle and device.

    Returns
    -------
    Reference
        It lists the images that were not measured; its notes name the masks that were not used.

    Raises
    ------
    UsageError
        If ``minimum`` is below 3.
    CohortError
        No normals, or too few on any one device.
    """
    require_minimum(minimum)
    found = measure_sites(cohort, label=label, quantifier=quantifier, refusal=refusal, quiet=quiet)
    masks = None if quantifier is None else quantifier.masks
    unused = None if masks is None else unused_note(masks, _mask_names(cohort))
    return fit_reference(
        found.sites,
        source=cohort.info.name,
        region=f"{found.given} regions given as masks, the others proposed by a network"
        if found.given
        else "proposed by a network",
        simulated=cohort.info.simulated,
        minimum=minimum,
        cohort_hash=cohort.info.content_hash,
        images_left_out=found.left_out,
        notes=[] if unused is None else [unused],
    )


def _site(key: Any, group: pd.DataFrame) -> SiteMeasure:
    patient, muscle, side, device = (str(value) for value in key)
    age = float(group["age"].mean()) if "age" in group else math.nan
    sex = str(group["sex"].iloc[0]).upper()[:1] if "sex" in group else ""
    return SiteMeasure(
        patient_id=patient,
        muscle=muscle,
        side=side,
        device=device,
        echo_intensity=mean_over_files(group["echo_intensity"].tolist(), files_of(group)),
        age=None if math.isnan(age) else age,
        sex=sex if sex in ("F", "M") else "",
    )
