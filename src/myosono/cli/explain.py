"""`myosono explain`: a run's heat maps under test → figures, CSV, JSON and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from myosono.cli.output import SIMULATED_NOTE, console, print_json, typed_command, written
from myosono.errors import UsageError
from myosono.extras import require, require_train

if TYPE_CHECKING:
    from myosono.faithfulness import HeatMapStudy


def explain_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="The run's cohort.")],
    fold: Annotated[int, typer.Option(help="Whose network; its test images are used.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder for the page, tables and figures.")] = Path("heat-maps"),
    limit: Annotated[int, typer.Option("--limit", min=0, help="Most images of a patient; 0: all.")] = 3,
    resamples: Annotated[int, typer.Option(min=0, help="Draws of patients for intervals; 0 gives none.")] = 1000,
    randomisations: Annotated[
        int, typer.Option(min=0, help="Networks drawn anew for the sanity check; 0 leaves it out.")
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws, the random maps and --limit.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Heat maps by deletion, insertion, ROAD and weight randomisation, against Grad-CAM, random and centre maps."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file")
    require_train("myosono explain")
    require("pytorch_grad_cam", extra="explain", purpose="myosono explain")
    from myosono.cohort import Cohort
    from myosono.explanation import explain_run
    from myosono.progress import progress_bar
    from myosono.reporting import write_heat_maps
    from myosono.training import Run

    with progress_bar() as bar:
        task = bar.add_task("removing pixels", total=None)
        study, examples = explain_run(
            Run.open(run),
            Cohort.open(cohort),
            fold=fold,
            limit=limit or None,
            resamples=resamples,
            randomisations=randomisations,
            seed=seed,
            command=typed_command(),
            on_start=lambda count: bar.update(task, total=count),
            on_image=lambda: bar.advance(task),
        )
        page = write_heat_maps(out, study, examples)
    if json:
        print_json(study.to_dict())
    else:
        show_study(study, console())
        written(page, "report")


def show_study(study: HeatMapStudy, to: Console) -> None:
    """What was found in sentences, and the figures with the difference from random maps."""
    from myosono.faithfulness.result import METRICS
    from myosono.reporting.heat_map_report import DIGITS, METRIC_TITLES, doubts, findings, heat_map_banners, minus
    from myosono.reporting.stress_report import signed

    for banner in heat_map_banners(study):
        if banner.tone == "red":
            to.print(f"[bold red]{escape(banner.title)}: {escape(banner.text)}[/]", soft_wrap=True)
    if study.simulated:
        to.print(f"[yellow]{SIMULATED_NOTE}[/]")
    to.print(f"{study.images} test images of {study.patients} patients, {study.accuracy:.0%} right")
    table = Table("map", title="Mean, and paired difference from random maps (95 % interval)")
    for metric in METRICS:
        table.add_column(METRIC_TITLES[metric], justify="right")
    for method in study.methods:
        cells = []
        for metric in METRICS:
            row = study.row(method.name, metric)
            mean = minus(row.estimate.value, DIGITS)
            cells.append(mean if method.name == "random" else f"{mean}\n{signed(row.against_random, DIGITS)}")
        table.add_row(escape(method.title), *cells)
    to.print(table)
    for finding in findings(study):
        to.print(f"- {escape(finding)}", soft_wrap=True)
    for banner in doubts(study):
        to.print(f"[yellow]{escape(banner.title)}: {escape(banner.text)}[/]", soft_wrap=True)
