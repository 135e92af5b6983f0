"""What `myosono read --quantify` adds: measures beside the probabilities, masks to edit, a table of sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from myosono.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from myosono.quantification import Quantifier, Reference, SiteQuantities
    from myosono.reading import Reader, Reading


_NAMED_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif"})
"""Endings of files that tell a patient by their name alone; DICOM files tell him in their header."""


@dataclass(frozen=True)
class QuantifyOptions:
    """The options of `myosono read` that need ``--quantify``."""

    masks: Path | None = None
    reference: Path | None = None
    age: float | None = None
    sex: str | None = None
    device: str | None = None
    across_devices: bool = False

    def require(self, quantify: bool) -> None:
        """Refuse options that would be ignored.

        Raises
        ------
        UsageError
            One is given without ``--quantify``, or one that only a reference uses without ``--reference``; an age or
            sex that no person has.
        """
        from myosono.reading.quantify import require_one_person

        if not quantify and self != QuantifyOptions():
            raise UsageError("--masks, --reference, --age, --sex, --device and --across-devices need --quantify")
        scoring = self.age is not None or self.sex is not None or self.across_devices
        if self.reference is None and scoring:
            raise UsageError("--age, --sex and --across-devices need --reference")
        require_one_person(self.age, self.sex)

    def require_one_patient(self, paths: list[str]) -> None:
        """Refuse an age or sex of several patients, as far as the names of picture files tell them.

        Raises
        ------
        UsageError
            If they name several.
        ImageError
            If no image is found.
        """
        from myosono.imaging import facts_from_name, list_sources
        from myosono.reading.quantify import require_one_person

        if self.age is None and self.sex is None:
            return
        pictures = [path for path in list_sources(paths) if path.suffix.lower() in _NAMED_PICTURES]
        named = (facts_from_name(path).patient_id for path in pictures)
        require_one_person(self.age, self.sex, filter(None, named))


@dataclass(frozen=True)
class Prepared:
    """The options, with what they name opened: a missing file is told before a study is read."""

    options: QuantifyOptions
    quantifier: Quantifier
    reference: Reference | None


def prepare(options: QuantifyOptions, *, threads: int) -> Prepared:
    """Open the reference and the folder of masks.

    Raises
    ------
    UsageError
        If the folder of masks does not exist.
    CohortError
        If the reference is missing or damaged.
    """
    from myosono.quantification import Quantifier, Reference

    reference = None if options.reference is None else Reference.open(options.reference)
    return Prepared(options, Quantifier(masks=options.masks, threads=threads), reference)


def quantify(reader: Reader, reading: Reading, prepared: Prepared, *, quiet: bool) -> Reading:
    """Measure each image of a reading that is no mask, behind a progress bar unless ``quiet``."""
    from myosono.progress import progress_bar
    from myosono.reading import quantified
    from myosono.reading.quantify import without_masks

    options = prepared.options
    if options.masks is not None:
        reading = without_masks(reader, reading, options.masks)
    with progress_bar(disable=quiet) as bar:
        task = bar.add_task("measuring", total=len(reading.images))
        return quantified(
            reading,
            prepared.quantifier,
            reference=prepared.reference,
            age=options.age,
            sex=options.sex,
            device=options.device,
            across_devices=options.across_devices,
            on_image=lambda path: bar.advance(task),
        )


def write_regions(reading: Reading, out: Path) -> None:
    """Write each region as a mask to edit (``masks/``) and as an overlay (``regions/``), if any was measured."""
    from myosono.imaging import save_result
    from myosono.quantification import draw_region, mask_names, write_mask

    if reading.quantification is None:
        return
    masks, overlays = out / "masks", out / "regions"
    for folder in (masks, overlays):
        folder.mkdir(parents=True, exist_ok=True)
    names = mask_names([(image.path, image.frame) for image in reading.images])
    for image, name in zip(reading.images, names, strict=True):
        region = None if image.quantities is None else image.quantities.region
        if region is not None:
            write_mask(region, masks / name)
            save_result(draw_region(image.pixels, region), overlays / name)


def show_quantities(reading: Reading, to: Console) -> None:
    """Print sites, images that were not measured, protocol completeness and notes."""
    from rich.markup import escape
    from rich.table import Table

    study = reading.quantification
    if study is None:
        return
    table = Table(title="quantities by muscle", title_justify="left")
    for heading in (
        "patient",
        "muscle",
        "side",
        "echo intensity",
        "z-score",
        "muscle mm",
        "above mm",
        "images",
        "notes",
    ):
        table.add_column(heading, justify="left" if heading in ("patient", "muscle", "side", "notes") else "right")
    for site in study.sites:
        table.add_row(
            escape(site.patient_id), site.muscle or "-", site.side or "-", f"{site.echo_intensity:.1f}", _z(site),
            _mm(site.muscle_thickness_mm, at_least=site.muscle_thickness_at_least),
            _mm(site.subcutaneous_thickness_mm), str(site.images), escape(_notes(site)),
        )  # fmt: skip
    if study.sites:
        to.print(table)
    for image in reading.images:
        if image.quantities is not None and image.quantities.echo_intensity is None:
            reason = "; ".join(image.quantities.notes)
            to.print(f"[yellow]{escape(Path(image.path).name)}:[/] {escape(reason)}", soft_wrap=True)
    for patient, protocol in study.protocols.items():
        to.print(f"[bold]{escape(patient)}[/]: {protocol.text}", soft_wrap=True)
    for note in study.notes:
        to.print(f"[dim]{escape(note)}[/]", soft_wrap=True)


def _z(site: SiteQuantities) -> str:
    return "-" if site.z_score is None or site.z_score.z is None else f"{site.z_score.z:+.1f}"


def _mm(value: float | None, *, at_least: bool = False) -> str:
    return "-" if value is None else f"{'>= ' if at_least else ''}{value:.1f}"


def _notes(site: SiteQuantities) -> str:
    """What limits a site's figures; a border out of view and a missing spacing show in its thickness."""
    from myosono.quantification.thickness import CUT_OFF, NO_SPACING

    notes = ["proposed region"] if site.proposed else []
    notes += [note for note in site.notes if not note.startswith((CUT_OFF, NO_SPACING))]
    if site.z_score is not None:
        notes += [site.z_score.reason] if site.z_score.reason else []
        notes += site.z_score.warnings
    return "; ".join(notes)
