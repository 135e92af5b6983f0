"""Quantities beside a reading: additive, the network's probabilities are untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from myosono.errors import UsageError
from myosono.imaging import Area, lies_below
from myosono.quantification import (
    ImageQuantities,
    MeasuredImage,
    Quantifier,
    Reference,
    folded_name,
    mask_names,
    unused_note,
)
from myosono.reading.reader import Reader
from myosono.reading.result import ImageReading, Reading

A_MASK = "a mask, not an image to read"
"""Why a file of the study is left out that lies in the folder of masks."""


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
        Of images whose file does not tell; an empty name is none.
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
    require_one_person(age, sex, patients)
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
            image.device or (device or "").strip() or None,
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
    note = None if quantifier.masks is None else _unused(quantifier.masks, images, names)
    study = study if note is None else replace(study, notes=(*study.notes, note))
    return replace(reading, images=tuple(images), quantification=study)


def _unused(masks: Path, images: Sequence[ImageReading], names: Sequence[str]) -> str | None:
    """Of the files in the folder of masks, those that are neither a mask of an image nor an image of the study."""
    folder = masks.resolve()
    beside = [Path(image.path).name for image in images if Path(image.path).parent.resolve() == folder]
    return unused_note(masks, [*names, *beside])


def require_one_person(age: float | None, sex: str | None, patients: Iterable[str] = ()) -> None:
    """Refuse an age or sex that no person has, or that would be of several patients.

    Raises
    ------
    UsageError
        In either case.
    """
    count = len(set(patients))
    if count > 1 and (age is not None or sex is not None):
        raise UsageError(
            f"age and sex belong to one patient, but the study holds {count}", remedy="Read each patient alone"
        )
    if sex not in (None, "F", "M") or (age is not None and not 0 <= age <= 130):
        raise UsageError("sex must be F or M, and age must lie within 0 to 130 years")


def without_masks(reader: Reader, reading: Reading, masks: Path) -> Reading:
    """A reading without the pictures that are masks, where their folder lies within the study.

    Masks that lie beside their images, so that the folder is the study, are told by their names.

    Parameters
    ----------
    reader
        Which made the reading: it pools the images that are left.
    masks
        Folder of the masks.
    """
    paths = [image.path for image in reading.images] + [failure.path for failure in reading.failed]
    inside = {path for path in paths if lies_below(path, masks)}
    if all(image.path in inside for image in reading.images):
        of_images = {folded_name(name) for name in mask_names([(image.path, image.frame) for image in reading.images])}
        inside = {path for path in inside if folded_name(Path(path).name) in of_images}
    if not inside:
        return reading
    images = tuple(image for image in reading.images if image.path not in inside)
    muscles, patients = reader.pool(images)
    return replace(
        reading,
        images=images,
        failed=tuple(failure for failure in reading.failed if failure.path not in inside),
        muscles=muscles,
        patients=patients,
        skipped=(*reading.skipped, *((path, A_MASK) for path in dict.fromkeys(paths) if path in inside)),
    )


def quantities_of(image: ImageReading, quantifier: Quantifier, *, mask_name: str = "") -> ImageQuantities:
    """Measures of one image that was read; none, and why, if the reader abstained from it."""
    if image.abstained:
        return ImageQuantities.none(f"not measured: {image.reasons[0]}")
    return quantifier.measure_in_mask(
        image.pixels, mask_name, area=Area(*image.area), screen=image.screen, spacing_mm=image.spacing_mm
    )
