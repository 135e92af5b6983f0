"""`myosono import`: images and their labels from any source → a cohort folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from myosono.cli import output
from myosono.errors import UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from myosono.cohort.importing import ImportResult


def import_command(
    source: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation at run time
        typer.Argument(help="PatientData.mat, Uçar's crops, a manifest (CSV, Parquet), a DICOM tree, class folders."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Cohort folder to write; new or empty.")] = Path("cohort"),
    reader: Annotated[
        str, typer.Option(help="Reader to use instead of looking: johns-hopkins, ucar, manifest, dicom, folders.")
    ] = "",
    column: Annotated[
        list[str], typer.Option(help="Manifest column by another name, as ours=theirs. Repeatable.")
    ] = [],  # noqa: B006 - Typer copies it
    patient_pattern: Annotated[
        str, typer.Option(help=r"Regular expression, e.g. `(?P<patient>P\d+)_`, on file names in class folders.")
    ] = "",
    patients: Annotated[
        str, typer.Option(help="source: as named there. near-duplicate: group look-alikes. image: each alone.")
    ] = "source",
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="CSV with patient_id,label for DICOM."),
    ] = None,
    exclude_label: Annotated[list[str], typer.Option(help="Leave out a label. Repeatable.")] = [],  # noqa: B006
    crop: Annotated[bool, typer.Option(help="Crop full-screen captures to the B-mode area.")] = True,
    allow_label_conflicts: Annotated[
        bool, typer.Option("--allow-label-conflicts", help="Accept patients that truly occur in two classes.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the cohort.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the images.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a cohort that is there.")] = False,
    download: Annotated[str, typer.Option(help="Fetch a public release first: myositis.")] = "",
    downloads: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where the release is kept [default: OUT-download]."),
    ] = None,
    base_url: Annotated[str, typer.Option(help="Where the release is fetched from.")] = "",
    json_output: Annotated[bool, typer.Option("--json", help="Machine-readable result on standard output.")] = False,
) -> None:
    """Read a source of images and labels, and write it as a cohort.

    The reader is found by looking at the source. Exit code 1 if some images could not be read: the others are
    imported, and the failures are listed in failures.csv.
    """
    require_train("myosono import")
    from myosono.cohort.importing import import_cohort
    from myosono.cohort.readers import ReadOptions

    if bool(download) == (source is not None):
        raise UsageError("name one source: either SOURCE or --download myositis")
    origin = _fetch(download, downloads or out.with_name(f"{out.name}-download"), base_url) if download else source
    assert origin is not None
    options = ReadOptions(
        crop=crop,
        columns=_mapping(column),
        patient_pattern=patient_pattern or None,
        labels=labels,
        exclude_labels=tuple(exclude_label),
        patients=patients,
    )
    result = import_cohort(
        origin,
        out,
        reader=reader or None,
        options=options,
        name=name or None,
        licence=licence or None,
        allow_label_conflicts=allow_label_conflicts,
        overwrite=overwrite,
    )
    output.print_json(result.to_dict()) if json_output else _show(result)
    if result.failures:
        raise typer.Exit(1)


def _fetch(release: str, folder: Path, base_url: str) -> Path:
    from myosono.cohort.download import download_release

    return download_release(release, folder, base_url=base_url or None).path


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"--column {pair!r} is not of the form ours=theirs", remedy="--column patient_id=Subject")
        mapping[ours] = theirs
    return mapping


def _show(result: ImportResult) -> None:
    from rich.markup import escape
    from rich.table import Table

    from myosono.cohort.importing import class_counts

    console = output.console()
    info = result.cohort.info
    console.print(f"Read as [bold]{result.reader}[/bold]: {escape(result.reason)}.", highlight=False)
    console.print(f"[bold]{escape(info.name)}[/bold]: {info.images:,} images of {info.patients:,} patients")
    table = Table()
    for heading in ("class", "images", "patients"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for label, count in class_counts(result.cohort.table).items():
        table.add_row(escape(label), f"{count['images']:,}", f"{count['patients']:,}")
    console.print(table)
    for note in info.notes:
        console.print(f"[dim]note[/dim] {escape(note)}", highlight=False)
    for failure in result.failures[:5]:
        console.print(f"[red]not read[/red] {escape(failure.source)}: {escape(failure.reason)}", highlight=False)
    folder = escape(str(result.cohort.folder))
    console.print(f"Cohort [bold]{folder}[/bold], content {info.content_hash[:12]}", highlight=False)
