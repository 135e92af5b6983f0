"""Quantities beside a reading: additive, the network's probabilities are untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from myosono.errors import UsageError
from myosono.imaging import Area
from myosono.quantification import ImageQuantities, MeasuredImage, Quantifier, Reference, mask_names, unused_masks
from myosono.reading.result import ImageReading, Reading


def quantified(
    reading: Reading,
    quantifier: Quantifier | None = None,
    *,
    reference: Reference | None = None,
    age: float | None = None,
    sex: str | None = None,
    device: str | None = None,
    across_devices: bool = False,
    on_image: Callable[[str], None] | None = None,
) -> Reading:
    """Measure each image of a reading.

    Parameters
    ----------
    reading
        What `Reader.read` returned. Images that it abstained from are not measured.
    quantifier
        Proposes regions or takes edited masks; None uses the network that ships with myosono.
    reference
        Normals for z-scores.
    age, sex
        Of the one patient of the reading; sex is ``"F"`` or ``"M"``.
    device
        Of images whose file does not tell.
    across_devices
        Allow z-scores against another device's normals; each then says so.
    on_image
        Called with the path of each image when it has been measured, for progress.

    Returns
    -------
    Reading
        The same, with ``quantities`` in each image and ``quantification`` of the study.

    Raises
    ------
    UsageError
        If age or sex is given for several patients, or is impossible.
    """
    quantifier = quantifier or Quantifier()
    patients = {image.patient_id for image in reading.images}
    if len(patients) > 1 and (age is not None or sex is not None):
        raise UsageError(f"age and sex belong to one patient, but the study holds {len(patients)}")
    if sex not in (None, "F", "M") or (age is not None and not 0 <= age <= 130):
        raise UsageError("sex must be F or M, and age must lie within 0 to 130 years")
    images = []
    names = mask_names([(image.path, image.frame) for image in reading.images])
    for image, name in zip(reading.images, names, strict=True):
        images.append(replace(image, quantities=quantities_of(image, quantifier, mask_name=name)))
        if on_image is not None:
            on_image(image.path)
    measured = [
        MeasuredImage(
            image.patient_id,
            image.muscle,
            image.side,
            image.device or device,
            image.quantities,
            usable=not image.abstained,
            file=image.path,
        )
        for image in images
        if image.quantities is not None
    ]
    study = quantifier.study(
        measured,
        reference=reference,
        ages=dict.fromkeys(patients, age) if age is not None else None,
        sexes=dict.fromkeys(patients, sex) if sex is not None else None,
        across_devices=across_devices,
    )
    if quantifier.masks is not None and (unused := unused_masks(quantifier.masks, names)):
        note = f"{len(unused)} masks in {quantifier.masks} belong to no image that was read ({unused[0]} first)"
        study = replace(study, notes=(*study.notes, note))
    return replace(reading, images=tuple(images), quantification=study)


def quantities_of(image: ImageReading, quantifier: Quantifier, *, mask_name: str = "") -> ImageQuantities:
    """Measures of one image that was read; none, and why, if the reader abstained from it."""
    if image.abstained:
        return ImageQuantities.none(f"not measured: {image.reasons[0]}")
    return quantifier.measure_in_mask(
        image.pixels, mask_name, area=Area(*image.area), screen=image.screen, spacing_mm=image.spacing_mm
    )
