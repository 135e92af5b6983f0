"""`myosono stress`: a model on images that get worse step by step → figures, CSV, JSON and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from myosono.cli.output import SIMULATED_NOTE, console, print_json, typed_command, written
from myosono.errors import UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from myosono.robustness import StressResult

SHIPPED = "shipped"


def stress_command(
    model: Annotated[str, typer.Argument(help=f"Model file (.onnx), or '{SHIPPED}' for the one in the package.")],
    cohort: Annotated[Path, typer.Argument(help="Cohort whose held-out patients are read.")],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="Model file to compare with, same images (repeatable)."),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", help="Run of a model trained on this cohort: names its test patients (repeatable)."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the page, tables and figures.")] = Path("stress"),
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this degradation (repeatable).")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Most images of a patient.")] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Draws of patients for intervals; 0 gives none.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws, the speckle and --limit.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads of one inference; 0 lets the runtime choose.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Gain, TGC, depth, speckle, blur, JPEG, crop, resolution, device preset: accuracy and calibration by strength."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file")
    require_train("myosono stress")
    from myosono.cohort import Cohort
    from myosono.progress import progress_bar
    from myosono.reporting import write_stress
    from myosono.robustness import stress

    first = None if model == SHIPPED else Path(model)
    with progress_bar() as bar:
        task = bar.add_task("degrading and reading", total=None)
        found = stress(
            [first, *(against or [])],
            Cohort.open(cohort),
            runs=run or [],
            degradations=only or [],
            limit=limit,
            resamples=resamples,
            seed=seed,
            threads=threads,
            command=typed_command(),
            on_start=lambda count: bar.update(task, total=count),
            on_image=lambda: bar.advance(task),
        )
        bar.update(task, description="drawing", total=None)
        page = write_stress(out, found)
    if json:
        print_json(found.to_dict())
    else:
        show_stress(found, console())
        written(page, "report")


def show_stress(found: StressResult, to: Console) -> None:
    """Whose images, what must be known first, and the largest loss under each degradation."""
    from myosono.reporting.stress_report import signed

    for one in found.models:
        tone = {"held_out": "dim", "other_cohort": "yellow"}.get(one.standing, "bold red")
        to.print(f"[{tone}]{escape(one.statement)}[/]", soft_wrap=True)
    if found.simulated:
        to.print(f"[yellow]{SIMULATED_NOTE}[/]")
    to.print(f"{found.images} images of {found.patients} patients")
    table = Table(
        Column("degradation", no_wrap=True), "at", "images", "change", "refused", "at", "patients", "change",
        title="Balanced accuracy at the strength where it falls most (95 % interval of the change)",
    )  # fmt: skip
    for one in found.models:
        if len(found.models) > 1:
            table.add_row(f"[bold]{escape(one.name)}[/]", end_section=False)
        for way in found.degradations:
            cells = []
            for level in ("image", "patient"):
                row = found.worst(one.name, way["name"], level, "balanced_accuracy")
                strength = f"{row.strength:g}".replace("-", "−")
                cells += [strength, _share(row.estimate.value), signed(row.change)]
                cells += [f"{row.refused:.0%}"] if level == "image" else []
            table.add_row(way["name"], *cells)
    to.print(table)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
