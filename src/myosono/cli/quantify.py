"""What `myosono read --quantify` adds: measures beside the probabilities, masks to edit, a table of sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from myosono.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from myosono.quantification import SiteQuantities
    from myosono.reading import Reading


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
            One is given without ``--quantify``, or one that only a reference uses without ``--reference``.
        """
        if not quantify and self != QuantifyOptions():
            raise UsageError("--masks, --reference, --age, --sex, --device and --across-devices need --quantify")
        scoring = self.age is not None or self.sex is not None or self.across_devices
        if self.reference is None and scoring:
            raise UsageError("--age, --sex and --across-devices need --reference")


def quantify(reading: Reading, options: QuantifyOptions, *, threads: int, quiet: bool) -> Reading:
    """Measure each image of a reading, behind a progress bar unless ``quiet``."""
    from myosono.progress import progress_bar
    from myosono.quantification import Quantifier, Reference
    from myosono.reading import quantified

    quantifier = Quantifier(masks=options.masks, threads=threads)
    reference = None if options.reference is None else Reference.open(options.reference)
    with progress_bar(disable=quiet) as bar:
        task = bar.add_task("measuring", total=len(reading.images))
        return quantified(
            reading,
            quantifier,
            reference=reference,
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
            _mm(site.muscle_thickness_mm), _mm(site.subcutaneous_thickness_mm), str(site.images), escape(_notes(site)),
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


def _mm(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _notes(site: SiteQuantities) -> str:
    notes = ["proposed region"] if site.proposed else []
    if site.z_score is not None:
        notes += [site.z_score.reason] if site.z_score.reason else []
        notes += site.z_score.warnings
    return "; ".join(notes)
