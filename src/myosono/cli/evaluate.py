"""``myosono evaluate``: score a run, or a predictions table of any tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myosono.cli.output import console, print_json, written
from myosono.errors import MyosonoError, RunError, UsageError
from myosono.extras import require_train
from myosono.formats import RUN_FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from myosono.evaluation import Estimate, Evaluation, Predictions

_LEVELS = {"image": "Images", "muscle": "Muscles", "patient": "Patients"}
_METRICS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1", "auc": "AUC"}


def evaluate_command(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN_OR_PREDICTIONS", help="A run folder, or a predictions table (CSV or Parquet)."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for metrics.json and report.html. Default: the run folder, or the table's name."
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Another tool's run or table of the same images: paired differences. Repeatable."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Resamples of patients behind each 95 % interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON to standard output.")] = False,
) -> None:
    """Metrics with intervals, calibration and a report, from a run or from another tool's predictions."""
    require_train("myosono evaluate")
    from myosono.evaluation import evaluate
    from myosono.reporting import write_evaluation_report, write_run_report

    if against:
        from myosono.cli.against import evaluate_against

        evaluate_against(source, against, out, resamples=resamples, seed=seed, as_json=as_json)
        return
    predictions, facts = read_source(source)
    if source.is_dir():
        found = evaluate(predictions, resamples=resamples, seed=seed, split=facts.get("split"))
        folder = out or source
        _write_metrics(folder, found)
        report = write_run_report(source, found, out_dir=folder)
    else:
        found = evaluate(predictions, resamples=resamples, seed=seed)
        folder = out or source.with_name(f"{source.stem}_evaluation")
        _write_metrics(folder, found)
        report = write_evaluation_report(folder, found, source=source)
    if as_json:
        print_json(found.to_dict())
    else:
        print_summary(found, console())
        written(report, "report")


def read_source(source: Path, classes: Sequence[str] | None = None) -> tuple[Predictions, dict[str, Any]]:
    """Predictions of a run folder or of a table, and the run's facts, none of a table.

    Parameters
    ----------
    classes
        In the wanted order; by default the run's, or as the table has them.

    Raises
    ------
    UsageError
        If there is nothing there.
    RunError, PredictionsError
        If a run is not finished or damaged, or a table is not understood.
    """
    from myosono.evaluation import read_predictions

    if not source.exists():
        raise UsageError("does not exist", path=source, remedy="Name a run folder or a predictions table.")
    if not source.is_dir():
        return read_predictions(source, classes=classes), {}
    facts = _run_facts(source)
    return read_predictions(source / "predictions.parquet", classes=classes or facts.get("classes")), facts


def _run_facts(run: Path) -> dict[str, Any]:
    manifest = run / "run.json"
    if not (run / "predictions.parquet").is_file():
        raise RunError(
            "holds no predictions.parquet",
            path=run,
            remedy="Finish the run with myosono train, or name a predictions table.",
        )
    if not manifest.is_file():
        return {}
    try:
        facts = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"is damaged ({error})", path=manifest) from error
    if not isinstance(facts, dict) or facts.get("format") != RUN_FORMAT:
        raise RunError(f"is of another format; this version reads format {RUN_FORMAT}", path=manifest)
    return facts


def _write_metrics(folder: Path, found: Evaluation) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found.to_dict(), indent=1, allow_nan=False)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise MyosonoError(f"cannot be written ({error.strerror})", path=folder) from error


def print_summary(found: Evaluation, to: Console) -> None:
    """The figures of the three levels and what limits them, on the terminal."""
    from rich.table import Table

    folds = f"{found.counts.folds} fold{'s' if found.counts.folds != 1 else ''}"
    table = Table(title=f"{found.counts.patients} test patients, {folds}; 95 % intervals over patients")
    table.add_column("Level")
    table.add_column("Count", justify="right")
    for title in _METRICS.values():
        table.add_column(title, justify="right")
    for name, level in found.levels.items():
        table.add_row(_LEVELS[name], str(level.units), *[_cell(getattr(level, metric)) for metric in _METRICS])
    to.print(table)
    calibration, conformal = found.calibration, found.conformal
    if calibration.fitted:
        for units, part in (("images", calibration.image), ("patients", calibration.patient)):
            to.print(f"Calibration error of {units}: {_cell(part.before.ece)} before, {_cell(part.after.ece)} after.")
    else:
        to.print(calibration.note)
    if conformal.overall is not None:
        found_sets = conformal.overall
        to.print(
            f"Prediction sets hold the truth for {_cell(found_sets.coverage)} of patients (promised "
            f"{1 - conformal.alpha:.2f}); {_cell(found_sets.decided)} get a single class, "
            f"{_cell(found_sets.narrowed)} several, for {_cell(found_sets.abstained)} the tool abstains."
        )
    if (found.split or {}).get("leaks") or found.shared.leaks:
        to.print("The split leaks: tested patients were also trained on. These figures overestimate.", style="bold red")
    for warning in found.warnings:
        to.print(warning, style="yellow", markup=False)


def _cell(estimate: Estimate) -> str:
    from myosono.reporting.statements import interval, number

    span = interval(estimate)
    return number(estimate.value) + (f" ({span})" if span else "")
