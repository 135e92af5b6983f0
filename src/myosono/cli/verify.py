"""`myosono verify`: two model files on the same images → what moved, and for whom."""

from __future__ import annotations

import json as json_
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from myosono.cli.output import console, print_json, require_writable, written
from myosono.errors import ArtefactError, UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from myosono.reading.change import Study
    from myosono.reading.change_record import ChangeRecord

SHOWN = 20
"""Moved images named on the screen; the JSON names all."""


def verify_command(
    before: Annotated[Path, typer.Argument(help="Model file, the version in use.")],
    after: Annotated[Path, typer.Argument(help="Model file, the version to judge.")],
    images: Annotated[
        list[Path] | None, typer.Option("--images", help="File, folder or glob to read with both (repeatable).")
    ] = None,
    cohort: Annotated[Path | None, typer.Option("--cohort", help="Cohort to read with both; its labels count.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the change record, .json.")] = None,
    min_agreement: Annotated[
        float | None, typer.Option(help="Exit with 1 if a smaller share of images keeps its decision.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the change record as JSON.")] = False,
) -> None:
    """Compare two model files: differences of logits, decisions and prediction sets, by class and by patient."""
    if images and cohort is not None:
        raise UsageError("--images and --cohort exclude each other")
    if min_agreement is not None and (not 0 <= min_agreement <= 1 or not (images or cohort)):
        raise UsageError("--min-agreement is a share from 0 to 1, and needs --images or --cohort")
    if out is not None:
        require_writable(out)
    from myosono.progress import progress_bar
    from myosono.reading.change import Study, compare

    given = [Study(images)] if images else []
    studies, count = (iter(given), len(given)) if cohort is None else _cohort_studies(cohort)
    with progress_bar() as bar:
        task = bar.add_task("reading with both", total=count, visible=count > 0)
        record = compare(before, after, studies, on_study=lambda _: bar.advance(task))
    if out is not None:
        text = json_.dumps(record.to_dict(), indent=2, ensure_ascii=False) + "\n"
        out.write_text(text, encoding="utf-8", errors="backslashreplace")
    if json:
        print_json(record.to_dict())
    else:
        show_change(record, console())
        if out is not None:
            written(out, "change record")
    found = record.argmax_agreement
    if min_agreement is not None and (found is None or found < min_agreement):
        shown = "no image" if found is None else f"{found:.2%} of images"
        raise ArtefactError(f"{shown} keep their decision, fewer than {min_agreement:.2%}", path=after)
    if record.failed:
        raise typer.Exit(1)


def _cohort_studies(folder: Path) -> tuple[Iterator[Study], int]:
    """One study a patient, loaded when its turn comes, and how many there are."""
    require_train("myosono verify --cohort")
    from myosono.cohort import Cohort
    from myosono.reading.change import Study

    cohort = Cohort.open(folder)
    groups = cohort.table.groupby(["patient_id", "label"], sort=True)
    studies = (
        Study([cohort.image(name) for name in rows["image_id"]], str(patient), tuple(rows["image_id"]), str(label))
        for (patient, label), rows in groups
    )
    return studies, groups.ngroups


def show_change(record: ChangeRecord, to: Console) -> None:
    """The change record as tables."""
    for label, model in (("before", record.before), ("after", record.after)):
        to.print(
            f"[bold]{label}[/] {escape(model['name'])} of {model['version']}, sha256 {model['sha256'][:16]}",
            soft_wrap=True,
        )
        for warning in model["warnings"]:
            to.print(f"  [yellow]{warning}[/]")
    _show_metadata(record, to)
    for _, error in record.failed:
        to.print(f"[red]could not be read:[/] {escape(error)}", soft_wrap=True)
    if not record.images:
        to.print("No images (--images or --cohort): what the networks compute was not compared.")
        return
    to.print(
        f"{len(record.images)} images of {len(record.patients)} patients: max |Δlogit| "
        f"{record.max_logit_difference:.2e}; {record.argmax_agreement:.2%} of images keep their decision, "
        f"{record.patient_agreement:.2%} of patients are told the same."
    )
    _show_classes(record, to)
    _show_moved(record, to)


def _show_metadata(record: ChangeRecord, to: Console) -> None:
    if not record.metadata:
        return
    table = Table("Says of itself", "before", "after", title="What the files say differently")
    for name, values in record.metadata.items():
        table.add_row(name, *(_short(value) for value in values))
    to.print(table)


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _show_classes(record: ChangeRecord, to: Console) -> None:
    table = Table("Class", "images", "moved", "right before", "right after", "mean Δp of the class", title="By class")
    for change in record.by_class():
        right = ("" if count is None else str(count) for count in (change.right_before, change.right_after))
        table.add_row(
            change.name, str(change.images), str(change.moved), *right, f"{change.mean_probability_change:+.4f}"
        )
    to.print(table)


def _show_moved(record: ChangeRecord, to: Console) -> None:
    if record.moved_patients:
        table = Table("Patient", "truth", "before", "after", "largest Δp", title="Patients who moved")
        for patient in record.moved_patients:
            table.add_row(
                patient.patient_id, patient.target or "", patient.before, patient.after,
                f"{patient.max_probability_difference:.3f}",
            )  # fmt: skip
        to.print(table)
    if record.moved_images:
        title = f"Images that moved: {len(record.moved_images)}, the first {min(SHOWN, len(record.moved_images))}"
        table = Table("Image", "patient", "truth", "before", "after", "max |Δlogit|", title=title)
        for image in record.moved_images[:SHOWN]:
            table.add_row(
                image.name, image.patient_id, image.target or "", image.before, image.after,
                f"{image.max_logit_difference:.3f}",
            )  # fmt: skip
        to.print(table)
    if not record.moved_patients and not record.moved_images:
        to.print("Nothing moved.")
