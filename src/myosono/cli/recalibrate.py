"""`myosono recalibrate`: model file → the same network, calibrated on other patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from myosono.cli.output import console, print_json, require_writable, written
from myosono.errors import UsageError
from myosono.extras import require_train

if TYPE_CHECKING:
    from myosono.export.recalibrate import Recalibrated


def recalibrate_command(
    model: Annotated[Path, typer.Argument(help="Model file, .onnx.")],
    on: Annotated[Path, typer.Option("--on", help="Cohort to calibrate on; none of it may be in training.")],
    out: Annotated[Path, typer.Option("--out", help="Model file to write, .onnx.")],
    trained_on: Annotated[
        Path | None,
        typer.Option("--trained-on", help="The model's training cohort, to prove that nobody is in both."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="A third cohort, to measure the result on.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Most images of a calibration patient; the promise starts there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metadata as JSON.")] = False,
) -> None:
    """Fit temperatures and prediction sets anew, on patients that the network has not learned from."""
    if out.suffix != ".onnx":
        raise UsageError(f"--out {out} does not end in .onnx")
    require_train("myosono recalibrate")
    require_writable(out)
    from myosono.cohort import Cohort
    from myosono.export import recalibrate

    found = recalibrate(
        model,
        Cohort.open(on),
        out,
        trained_on=None if trained_on is None else Cohort.open(trained_on),
        evidence=None if evidence is None else Cohort.open(evidence),
        limit=limit,
        quiet=json,
    )
    if json:
        print_json({"path": str(found.path), "metadata": found.after})
        return
    show_recalibrated(found, console())
    written(out, "model file")


def show_recalibrated(found: Recalibrated, to: Console) -> None:
    """The calibration before and after, and the gates."""
    table = Table("", "before", "after")
    rows = {
        "patients": lambda of: str(of["conformal"]["patients"]),
        "fewest images of a patient": lambda of: str(
            of.get("calibration", {}).get("images_per_patient", {}).get("fewest", "?")
        ),
        "temperature of images": lambda of: f"{of['temperature']:.2f}",
        "temperature of patients": lambda of: f"{of.get('patient_temperature', 1.0):.2f}",
        "thresholds": lambda of: "one for each class" if of["conformal"]["kind"] != "marginal" else "one for all",
        "warnings": lambda of: "; ".join(of.get("calibration", {}).get("warnings", [])) or "none",
    }
    for name, cell in rows.items():
        table.add_row(name, escape(_cell(cell, found.before)), escape(_cell(cell, found.after)))
    to.print(table)
    for gate in found.gates:
        to.print(f"[green]passed[/] {gate}", soft_wrap=True)


def _cell(cell: Any, metadata: dict[str, Any]) -> str:
    return str(cell(metadata))
