"""`myosono read`: a study in, probabilities per image, muscle and patient out. Base install, no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from myosono.anatomy import MUSCLES, SIDES
from myosono.cli.output import console, print_json, written
from myosono.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from myosono.reading import Reader, Reading


def read_command(
    paths: Annotated[list[str], typer.Argument(help="Images, DICOM, cine; folders; glob patterns.")],
    model: Annotated[Path | None, typer.Option(help="Model file; default: the simulation-trained one inside.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for reading.json and heat-map overlays.")] = None,
    patient: Annotated[str | None, typer.Option(help="Patient of all images, over what the files say.")] = None,
    muscle: Annotated[str | None, typer.Option(help="Muscle code of all images: D B FCR FDP R T G.")] = None,
    side: Annotated[str | None, typer.Option(help="L or R, for all images.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of one inference; 0: all.")] = 0,
    quantify: Annotated[
        bool, typer.Option("--quantify", help="Measure echo intensity, thickness and texture.")
    ] = False,
    masks: Annotated[Path | None, typer.Option(help="Folder of edited muscle masks, IMAGE_region.png.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Normals for z-scores, by myosono reference.")] = None,
    age: Annotated[float | None, typer.Option(help="Age of the patient in years, for z-scores.")] = None,
    sex: Annotated[str | None, typer.Option(help="F or M, for z-scores.")] = None,
    device: Annotated[str | None, typer.Option(help="Device of images whose file does not tell, for z-scores.")] = None,
    across_devices: Annotated[
        bool, typer.Option("--across-devices", help="Allow z-scores against another device's normals, with a warning.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the reading as JSON.")] = False,
) -> None:
    """Read a muscle ultrasound study.

    Exit code 1 if some of the files could not be read; the others are read and the failures are listed.
    """
    from myosono.cli.quantify import QuantifyOptions, prepare, show_quantities, write_regions
    from myosono.cli.quantify import quantify as measure
    from myosono.reading import load

    options = QuantifyOptions(masks, reference, age, sex, device, across_devices)
    options.require(quantify)
    _check_site(muscle, side)
    prepared = prepare(options, threads=threads) if quantify else None
    if patient is None:
        options.require_one_patient(paths)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    quiet = json or not sys.stderr.isatty()
    reader = load(model, threads=threads)
    reading = _read(reader, paths, patient, muscle, side, quiet=quiet)
    if prepared is not None:
        reading = measure(reader, reading, prepared, quiet=quiet)
    if out is not None:
        write_reading(reader, reading, out)
        write_regions(reading, out)
    if json:
        print_json(reading.to_dict())
    else:
        show_reading(reading, console())
        show_quantities(reading, console())
        if out is not None:
            written(out, "overlays and reading.json")
    if reading.failed:
        raise typer.Exit(1)


def _check_site(muscle: str | None, side: str | None) -> None:
    """A muscle or side that no model knows would be shown as if it had been read."""
    if muscle is not None and muscle not in MUSCLES:
        raise UsageError(f"--muscle {muscle} is no muscle code", remedy=f"Name one of {', '.join(MUSCLES)}.")
    if side is not None and side not in SIDES:
        raise UsageError(f"--side {side} is no side", remedy="Name L or R.")


def _read(
    reader: Reader, paths: list[str], patient: str | None, muscle: str | None, side: str | None, *, quiet: bool
) -> Reading:
    if quiet:
        return reader.read(paths, patient_id=patient, muscle=muscle, side=side)
    from myosono.progress import progress_bar

    with progress_bar() as bar:
        task = bar.add_task("reading", total=None)
        return reader.read(paths, patient_id=patient, muscle=muscle, side=side, on_image=lambda name: bar.advance(task))


def write_reading(reader: Reader, reading: Reading, out: Path) -> None:
    """Write ``reading.json``, one heat-map overlay an image, and what the threshold removed in ``diagnostics/``."""
    import json

    from myosono.imaging import save_result
    from myosono.reading import draw_overlay, draw_shrinkage, overlay_names

    diagnostics = out / "diagnostics"
    diagnostics.mkdir(parents=True, exist_ok=True)
    (out / "reading.json").write_text(
        json.dumps(reading.to_dict(), indent=2, ensure_ascii=False) + "\n",
        encoding="utf-8",
        errors="backslashreplace",  # of a file name that is not UTF-8: in JSON an escape
    )
    for image, name in zip(reading.images, overlay_names(reading.images), strict=True):
        save_result(draw_overlay(image, reader.artefact.classes, reading.model), out / name)
        save_result(draw_shrinkage(image, reading.model), diagnostics / name)


def show_reading(reading: Reading, to: Console) -> None:
    """Print patients first, then muscles and images, then what could not be read."""
    from rich.markup import escape
    from rich.table import Table

    model = reading.model
    to.print(f"[bold]{escape(model.name)}[/], trained on {escape(model.trained_on)}", soft_wrap=True)
    for warning in model.warnings:
        to.print(f"[bold red]{escape(warning)}[/]")
    classes = list(reading.images[0].probabilities) if reading.images else []
    table = Table(title="patients", title_justify="left")
    for heading in ("patient", "result", *classes, "images"):
        table.add_column(heading, justify="left" if heading in ("patient", "result") else "right")
    for patient in reading.patients:
        result = ": ".join(part for part in (patient.answer, "; ".join(patient.reasons)) if part)
        shares = _cells(patient.probabilities, classes)
        table.add_row(escape(patient.patient_id), escape(result), *shares, str(patient.images))
    to.print(table)
    table = Table(title="muscles", title_justify="left")
    for heading in ("patient", "muscle", "side", "most probable", *classes, "images"):
        table.add_column(heading, justify="right" if heading in classes or heading == "images" else "left")
    for item in reading.muscles:
        table.add_row(
            escape(item.patient_id), item.muscle or "-", item.side or "-", item.label,
            *_cells(item.probabilities, classes), str(item.images),
        )  # fmt: skip
    if reading.muscles:
        to.print(table)
    _show_images(reading, classes, to)
    for failure in reading.failed:
        to.print(f"[red]not read:[/] {escape(failure.error)}", soft_wrap=True)
    for path, reason in reading.skipped:
        to.print(f"[dim]left out: {escape(path)}: {escape(reason)}[/]", soft_wrap=True)


def _show_images(reading: Reading, classes: list[str], to: Console) -> None:
    """One row an image; its frame only where a file holds several, which leaves room for names and notes."""
    from rich.markup import escape
    from rich.table import Table

    frames = ["frame"] if any(image.frame for image in reading.images) else []
    table = Table(title="images", title_justify="left")
    for heading in ("image", *frames, "most probable", *classes, "notes"):
        table.add_column(heading, justify="right" if heading in [*classes, "frame"] else "left", overflow="fold")
    for image in reading.images:
        frame = [str(image.frame)] if frames else []
        table.add_row(
            escape(Path(image.path).name), *frame, image.label or "abstains",
            *_cells(image.probabilities, classes), escape("; ".join(image.reasons)),
        )  # fmt: skip
    if reading.images:
        to.print(table)


def _cells(probabilities: dict[str, float], classes: list[str]) -> list[str]:
    top = max(probabilities.values(), default=0.0)
    cells = []
    for name in classes:
        p = probabilities.get(name)
        text = "-" if p is None else f"{p:.0%}"
        cells.append(f"[bold]{text}[/]" if p == top else text)
    return cells
