"""`myosono verify`: two model files on the same images → what moved, and for whom."""

from __future__ import annotations

import json as json_
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from myosono.cli.output import console, print_json, require_writable, written
from myosono.errors import ArtefactError, UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    import pandas as pd

    from myosono.cohort import Cohort
    from myosono.reading.artefact import Artefact
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
        float | None,
        typer.Option(
            help="Exit with 1 if a smaller share of images keeps its decision (a class, or refused), or of patients "
            "its answer."
        ),
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
    record = _compare(before, after, images or [], cohort)
    if out is not None:
        text = json_.dumps(record.to_dict(), indent=2, ensure_ascii=False) + "\n"
        out.write_text(text, encoding="utf-8", errors="backslashreplace")
    if json:
        print_json(record.to_dict())
    else:
        show_change(record, console())
        if out is not None:
            written(out, "change record")
    if min_agreement is not None:
        _require_agreement(record, min_agreement, after)
    if record.failed:
        raise typer.Exit(1)


def _compare(before: Path, after: Path, images: list[Path], folder: Path | None) -> ChangeRecord:
    from myosono.progress import progress_bar
    from myosono.reading.change import Study, compare

    given = [Study(images)] if images else []
    studies, count, left_out = (iter(given), len(given), {}) if folder is None else _cohort_studies(folder, before)
    with progress_bar() as bar:
        task = bar.add_task("reading with both", total=count, visible=count > 0)
        record = compare(before, after, studies, on_study=lambda _: bar.advance(task))
    return replace(record, left_out=left_out)


def _require_agreement(record: ChangeRecord, least: float, path: Path) -> None:
    """Images and patients each: a new patient rule alone changes answers and no image's decision."""
    if not record.images:
        raise ArtefactError("no image was read with both, so no agreement is known", path=path)
    shares = (
        ("images keep their decision", record.image_agreement),
        ("patients are told the same", record.patient_agreement),
    )
    short = [f"{share:.2%} of {what}" for what, share in shares if share is not None and share < least]
    if short:
        raise ArtefactError(
            f"{', '.join(short)}: less than {least:.2%}",
            path=path,
            remedy="Judge what moved (--out FILE.json names all of it) before you use this file",
        )


def _cohort_studies(folder: Path, model: Path) -> tuple[Iterator[Study], int, dict[str, int]]:
    """One study a patient and true class, loaded when its turn comes; how many; labels that are no class, counted."""
    require_train("myosono verify --cohort")
    from myosono.cohort import Cohort
    from myosono.cohort.schema import clips_of
    from myosono.reading.artefact import Artefact
    from myosono.reading.change import Study

    cohort = Cohort.open(folder)
    table = cohort.table.assign(clip=clips_of(cohort.table).fillna(""), target=_targets(cohort, Artefact(model)))
    groups = table[table["target"].notna()].groupby(["patient_id", "target"], sort=True)
    studies = (
        Study(
            [cohort.image(name) for name in rows["image_id"]],
            str(patient), tuple(rows["image_id"]), str(target), tuple(rows["clip"]),
        )
        for (patient, target), rows in groups
    )  # fmt: skip
    left_out = table.loc[table["target"].isna(), "label"].value_counts().sort_index()
    return studies, groups.ngroups, {str(label): int(count) for label, count in left_out.items()}


def _targets(cohort: Cohort, model: Artefact) -> pd.Series[Any]:
    """True class of each image by the model's task; missing where the task has none for its label."""
    from myosono.anatomy import DIAGNOSES
    from myosono.cohort.tasks import get_task

    name = str(model.metadata.get("task", "auto"))
    # Not the cohort's own classes: a cohort of some of the model's classes still shows what moved for those.
    own = name in ("auto", "label")
    task = get_task("label", model.classes) if own else get_task(name, tuple(DIAGNOSES))
    targets = task.targets(cohort.table["label"])
    targets = targets.where(targets.isin(model.classes))
    if targets.isna().all():
        raise UsageError(
            f"the model tells {', '.join(model.classes)} apart, and this cohort holds none of them: its labels are "
            f"{', '.join(cohort.info.classes)}",
            path=cohort.folder,
            remedy="Choose a cohort with the model's classes, or read its files with --images",
        )
    return targets


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
    if record.left_out:
        labels = ", ".join(f"{escape(label)} ({count})" for label, count in record.left_out.items())
        to.print(f"[yellow]left out:[/] images whose label is no class of the models' task: {labels}", soft_wrap=True)
    if not record.images:
        to.print("No images (--images or --cohort): what the networks compute was not compared.")
        return
    to.print(
        f"{len(record.images)} images of {len(record.patients)} patients: max |Δlogit| "
        f"{record.max_logit_difference:.2e}; {record.image_agreement:.2%} of images keep their decision, "
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
        mean = change.mean_probability_change
        shown = "" if mean is None else f"{mean:+.4f}"
        table.add_row(change.name, str(change.images), str(change.moved), *right, shown)
    to.print(table)


def _show_moved(record: ChangeRecord, to: Console) -> None:
    from myosono.reading.change_record import REFUSED

    if record.moved_patients:
        table = Table("Patient", "truth", "before", "after", "largest Δp", title="Patients who moved")
        for patient in record.moved_patients:
            table.add_row(
                escape(patient.patient_id), patient.target or "", patient.before, patient.after,
                f"{patient.max_probability_difference:.3f}",
            )  # fmt: skip
        to.print(table)
    if record.moved_images:
        title = f"Images that moved: {len(record.moved_images)}, the first {min(SHOWN, len(record.moved_images))}"
        table = Table("Image", "patient", "truth", "before", "after", "max |Δlogit|", title=title)
        for image in record.moved_images[:SHOWN]:
            table.add_row(
                escape(image.name), escape(image.patient_id), image.target or "",
                image.before or REFUSED, image.after or REFUSED, f"{image.max_logit_difference:.3f}",
            )  # fmt: skip
        to.print(table)
    if not record.moved_patients and not record.moved_images:
        to.print("Nothing moved.")
