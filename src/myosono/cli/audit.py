"""`myosono audit`: what makes a score on this cohort better than life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.markup import escape

from myosono.cli import output
from myosono.extras import require_train

if TYPE_CHECKING:
    from rich.console import Console

    from myosono.cohort.audit import AuditResult, SplitAudit

_COLOURS = {"leak": "bold red", "warning": "yellow", "note": "dim"}


def audit_command(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder, or a source of metadata (as for import).")],
    split: Annotated[
        str, typer.Option(help="patient, image or published [default: patient, and published where there are folds].")
    ] = "",
    split_file: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads the annotation at run time
        typer.Option(help="CSV or Parquet with image_id, fold, role."),
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of a patient or image split.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of a patient or image split, 0 to 2147483647.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything leaks.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Machine-readable result on standard output.")] = False,
) -> None:
    """Report patients, muscles and look-alikes shared between roles, shortcuts, label conflicts, unreadable files.

    Works on metadata alone too: what needs pixels is then listed as not checked. A leak is a patient in two roles, an
    image in two roles or under two patients byte for byte, or patients that are not known at all. Look-alikes are
    warnings: copies stored anew are found (JPEG, another size, noise, small calipers); cropped, padded, shifted,
    turned or mirrored ones are not.
    """
    require_train("myosono audit")
    from myosono.cohort.audit import audit_cohort

    result = audit_cohort(cohort, split=split or None, split_file=split_file, folds=folds, seed=seed)
    if json_output:
        output.print_json(result.to_dict())
    else:
        _show(result)
    if strict and result.leaks:
        raise typer.Exit(1)


def _show(result: AuditResult) -> None:
    console = output.console()
    _show_counts(console, result)
    _show_splits(console, result)
    _show_shortcuts(console, result)
    for note in result.notes:
        console.print(f"[dim]note[/dim] {escape(note)}", highlight=False)
    for check, reason in result.skipped.items():
        console.print(f"[dim]not checked[/dim] {check}: {escape(reason)}", highlight=False)
    _show_findings(console, result)


def _show_counts(console: Console, result: AuditResult) -> None:
    from rich.table import Table

    console.print(f"[bold]{escape(result.name)}[/bold]: {result.images:,} images of {result.patients:,} patients")
    table = Table("class")
    for heading in ("images", "patients"):
        table.add_column(heading, justify="right")
    for label, count in result.counts.items():
        table.add_row(escape(label), f"{count['images']:,}", f"{count['patients']:,}")
    console.print(table)


def _show_splits(console: Console, result: AuditResult) -> None:
    from rich.table import Table

    title = "Test images whose patient, and whose same muscle, was seen in training or validation (in training alone)"
    table = Table("split")
    for heading in ("fold", "train", "val.", "test", "patient", "muscle", "muscle, train", "look-alikes"):
        table.add_column(heading, justify="right")
    for split in result.splits:
        alike = "-" if split.near_duplicates is None else str(split.near_duplicates)
        for fold in split.folds:
            colour = "red" if fold.shared_patients else "green"
            table.add_row(
                escape(_table_name(split)),
                str(fold.fold),
                *(f"{count:,}" for count in (fold.train, fold.validation, fold.test)),
                f"[{colour}]{fold.patient_seen:.1%}[/{colour}]",
                _percent(fold.site_seen),
                _percent(fold.site_in_train),
                alike if fold is split.folds[0] else "",
            )
    if result.splits:
        console.print(f"[bold]{title}[/bold]")
        console.print(table)


def _show_shortcuts(console: Console, result: AuditResult) -> None:
    from rich.table import Table

    if not result.shortcuts:
        return
    console.print("[bold]Classes without pixels (balanced accuracy on new patients)[/bold]")
    table = Table("class from")
    for heading in ("reached", "chance", "shuffled, 95 %"):
        table.add_column(heading, justify="right")
    for item in result.shortcuts:
        colour = "yellow" if item.suspicious else "green"
        reached = f"[{colour}]{item.balanced_accuracy:.1%}[/{colour}]"
        table.add_row(item.feature, reached, f"{item.chance:.1%}", f"{item.chance_95:.1%}")
    console.print(table)


def _show_findings(console: Console, result: AuditResult) -> None:
    if not result.findings:
        nothing = (
            "Nothing found that would flatter a score." if result.complete else "Nothing found in what was checked."
        )
        console.print(f"[green]{nothing}[/green]")
    shown = _merge_published(result)
    for severity, subject, message in shown:
        console.print(
            f"[{_COLOURS[severity]}]{severity}[/{_COLOURS[severity]}] {escape(subject)}: {escape(message)}.",
            highlight=False,
        )


def _merge_published(result: AuditResult) -> list[tuple[str, str, str]]:
    """A few lines for the twenty published folds, which each stand in the table already."""
    published = [split for split in result.splits if split.kind == "published" and split.leaks]
    names = {f"split {split.name}" for split in published}
    lines = [("leak", f"{len(published)} published folds", message) for message in _of_published(published)]
    return lines + [(f.severity, f.subject, f.message) for f in result.findings if f.subject not in names]


def _of_published(splits: list[SplitAudit]) -> Iterator[str]:
    if not splits:
        return
    folds = [split.folds[0] for split in splits]
    patients = sum(fold.patient_seen for fold in folds) / len(folds)
    sites = [fold.site_seen for fold in folds if fold.site_seen is not None]
    muscle = f", {sum(sites) / len(sites):.1%} of the same patient's same muscle" if sites else ""
    yield f"on average {patients:.1%} of test images are of a patient seen before{muscle}"
    worst = max(splits, key=lambda split: len(split.identical))
    if worst.identical:
        test, seen = worst.identical[0]
        count = len({tested for tested, _ in worst.identical})
        yield f"up to {count} test images are byte for byte also in training or validation, such as {test} (as {seen})"
    closest = max(splits, key=lambda split: split.near_duplicates or 0)
    if closest.lookalikes:
        first, second, _ = closest.lookalikes[0]
        yield f"up to {len(closest.lookalikes)} look-alike pairs between roles, most alike {first} and {second}"


def _table_name(split: SplitAudit) -> str:
    """Published fold files by their scenario: the fold has a column of its own."""
    return split.name.partition(" fold ")[0] if split.kind == "published" else split.name


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
