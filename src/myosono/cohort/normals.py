"""Normal values from a cohort: measure its healthy patients, average their shots, fit each muscle and device."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from myosono.cohort.schema import files_of
from myosono.cohort.store import Cohort
from myosono.errors import CohortError
from myosono.pooling import mean_over_files
from myosono.progress import track
from myosono.quantification import MINIMUM_NORMALS, Quantifier, Reference, SiteMeasure, fit_reference, mask_names

NORMAL = "Normal"
_SITE = ["patient_id", "muscle", "side", "device"]


def measure_sites(
    cohort: Cohort, *, label: str = NORMAL, quantifier: Quantifier | None = None, quiet: bool = False
) -> tuple[list[SiteMeasure], int]:
    """Echo intensity of each site of the patients of one label.

    Parameters
    ----------
    cohort
        With images.
    label
        Who is normal.
    quantifier
        Proposes regions or takes edited masks, ``<image name>_region.png``.
    quiet
        Without a progress bar.

    Returns
    -------
    measures, given
        One entry a patient, muscle, side and device, and how many images had an edited mask.

    Raises
    ------
    CohortError
        No image of this label, or one that cannot be decoded.
    """
    quantifier = quantifier or Quantifier()
    normals = cohort.table[(cohort.table["label"] == label) & (cohort.table["muscle"] != "")]
    if normals.empty:
        labels = ", ".join(sorted(cohort.table["label"].unique()))
        raise CohortError(f"no image labelled {label!r} with a known muscle", remedy=f"Labels here: {labels}")
    levels, given = [], 0
    names = mask_names([(str(file), 0) for file in normals["file"]])
    work = list(zip(normals["image_id"], names, strict=True))
    for image_id, name in track(work, "measuring normals", disable=quiet):
        found = quantifier.measure_in_mask(cohort.image(str(image_id)), name)
        given += found.region is not None and found.region.origin == "given"
        levels.append(math.nan if found.echo_intensity is None else found.echo_intensity.mean)
    measured = normals.assign(echo_intensity=levels).dropna(subset=["echo_intensity"])
    sites = [_site(key, group) for key, group in measured.groupby(_SITE, sort=True)]
    return sites, given


def fit_cohort_reference(
    cohort: Cohort,
    *,
    label: str = NORMAL,
    minimum: int = MINIMUM_NORMALS,
    quantifier: Quantifier | None = None,
    quiet: bool = False,
) -> Reference:
    """Fit normal echo intensity from the normals of a cohort.

    Parameters
    ----------
    cohort, label, quantifier, quiet
        As in `measure_sites`.
    minimum
        Fewest normals a muscle and device.

    Raises
    ------
    CohortError
        No normals, or too few on any one device.
    """
    sites, given = measure_sites(cohort, label=label, quantifier=quantifier, quiet=quiet)
    return fit_reference(
        sites,
        source=cohort.info.name,
        region=f"{given} regions given as masks, the others proposed by a network"
        if given
        else "proposed by a network",
        simulated=cohort.info.simulated,
        minimum=minimum,
        cohort_hash=cohort.info.content_hash,
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
