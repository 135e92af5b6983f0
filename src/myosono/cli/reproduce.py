"""`myosono reproduce`: the published protocol, by image and by patient, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myosono.cli.output import SIMULATED_NOTE, console, print_json, typed_command, written
from myosono.cli.train import parse_settings
from myosono.errors import UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from rich.console import Console

    from myosono.evaluation import Estimate, Evaluation
    from myosono.evaluation.reproduction import Outcome, Reproduction
    from myosono.evaluation.result import Spread

QUICK: dict[str, Any] = {"size": 96, "epochs": 2}
QUICK_MODELS = "stanet_s"


def reproduce_command(
    source: Annotated[
        Path, typer.Argument(help="Cohort folder, or a download that myosono import reads (imported first).")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the runs and the table; the same command resumes it.")],
    models: Annotated[
        str | None, typer.Option(help="Networks, with commas between. Default: stanet_s,dual_branch.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Of affected, ibm_vs_normal, ibm_vs_other, four_class (S1 to S4). Default: all.")
    ] = None,
    folds_subset: Annotated[
        str | None, typer.Option(help="Fit these folds alone, from 0, with commas between, for example 0,1.")
    ] = None,
    fold_files: Annotated[
        Path | None, typer.Option(help="Folder of the published fold files, if they did not come with the source.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds made here [default: 5].")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the network input, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each fold.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same table.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting of the recipe. Repeatable.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only to see it work: stanet_s, fold 0, 96 pixels, 2 epochs.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Train over the published folds of all four tasks, then by patient, and set both beside the published figures.

    Without published fold files (the simulated cohort), image-level folds are made by the same scheme.
    """
    require_train("myosono reproduce")
    named: dict[str, Any] = {"size": size, "epochs": epochs, "seed": seed, "folds": folds}
    overrides = (QUICK if quick else {}) | {key: value for key, value in named.items() if value is not None}
    overrides |= _allowed(parse_settings(settings or []))
    if fold_files is not None:
        overrides["fold_files"] = str(fold_files)
    typed = models or (QUICK_MODELS if quick else None)
    chosen = None if typed is None else _names(typed, "--models")
    chosen_tasks = None if tasks is None else _names(tasks, "--tasks")
    only_folds = _numbers(folds_subset or ("0" if quick else None))

    from myosono.reporting import write_reproduction, write_run_report
    from myosono.training import load_recipe
    from myosono.training.reproduce import reproduce
    from myosono.training.reproduce_plan import MODELS, open_source, plan_reproduction

    recipe = load_recipe(None, overrides)
    protocol = plan_reproduction(
        open_source(source, out), recipe, models=chosen or MODELS, tasks=chosen_tasks, only_folds=only_folds
    )

    def keep(found: Reproduction, folder: Path, evaluation: Evaluation) -> None:
        report, metrics = folder / "report.html", folder / "metrics.json"
        if not report.exists() or report.stat().st_mtime < metrics.stat().st_mtime:
            write_run_report(folder, evaluation)
            write_reproduction(out, found)

    found = reproduce(protocol, out, command=typed_command(), after_run=keep)
    page = write_reproduction(out, found)
    if json:
        print_json(found.to_dict())
        return
    print_reproduction(found, console())
    written(page, "report")


def print_reproduction(found: Reproduction, to: Console) -> None:
    """The table on the terminal, and in red what its image-level column is worth."""
    from rich.table import Table

    from myosono.cohort.published import SCENARIOS
    from myosono.reporting.reproduction_report import leak_statement

    numbers = {task: f"S{number} " for number, task in SCENARIOS.items()}

    table = Table(
        title=f"{found.cohort}: accuracy of images, %, mean ± sd over folds (95 % interval over patients)",
        caption="Published figures of other networks stand in brackets.",
    )
    for heading in (
        "task",
        "network",
        "published",
        "image-level\nhere",
        "patient-level\nhere",
        "patients,\nby patient",
    ):
        left = heading in ("task", "network", "published")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading == "published")
    before = ""
    for row in found.table:
        if row.task != before:
            table.add_section()
        texts = [one.text if row.same_network else f"({one.text})" for one in row.published]
        table.add_row(
            "" if row.task == before else numbers.get(row.task, "") + row.task, row.model, "\n".join(texts),
            _cell(row.image_level, "image"), _cell(row.patient_level, "image"), _cell(row.patient_level, "patient"),
        )  # fmt: skip
        before = row.task
    to.print(table)
    statement = leak_statement(found)
    if statement:
        to.print(statement, style="bold red", markup=False)
    for note in found.notes:
        to.print(note, style="yellow", markup=False)
    if found.simulated:
        to.print(f"{SIMULATED_NOTE}; the published figures are of real images.", style="yellow", markup=False)


def _cell(outcome: Outcome | None, level: str) -> str:
    from myosono.reporting.reproduction_report import interval_text, spread_text

    if outcome is None:
        return "–"
    spread: Spread = getattr(outcome, f"{level}_spread")
    estimate: Estimate = getattr(outcome, f"{level}_accuracy")
    interval = interval_text(estimate)
    text = spread_text(spread) + (f"\n({interval})" if interval else "")
    return f"[red]{text}[/]" if outcome.leaks else text


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} names nothing", remedy=f"For example: {option} a,b")
    return names


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(name) for name in _names(text, "--folds-subset")]
    except ValueError as error:
        raise UsageError(f"--folds-subset {text!r} is not a list of fold numbers", remedy="For example: 0,1") from error


def _allowed(settings: dict[str, Any]) -> dict[str, Any]:
    options = {"model": "--models", "task": "--tasks", "split": "both splits, always"}
    for key, instead in options.items():
        if key in settings:
            raise UsageError(f"--set {key}: the protocol decides this", remedy=f"Use {instead}")
    return settings
