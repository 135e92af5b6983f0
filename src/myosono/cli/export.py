"""`myosono export`: run → one model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from myosono.cli.output import console, print_json, require_writable
from myosono.errors import UsageError
from myosono.extras import require_train


def export_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="The run's cohort; parity is proved on its images.")],
    out: Annotated[Path, typer.Option("--out", help="Model file to write, .onnx.")],
    fold: Annotated[int, typer.Option(help="Whose network; it never saw this fold's test patients.")] = 0,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise to int8, a third of the size, calibrated on training patients.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Keep a file that fails a gate; every reading then warns.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate/--no-gate", help="Fit the gate that abstains from what is not muscle ultrasound.")
    ] = True,
    muscle_images: Annotated[
        list[Path] | None,
        typer.Option("--muscle-images", help="Folder of real muscle images for the gate; repeatable."),
    ] = None,
    other_images: Annotated[
        list[Path] | None,
        typer.Option("--other-images", help="Folder of real images that are not muscle, for the gate; repeatable."),
    ] = None,
    calibrate_on: Annotated[
        Path | None,
        typer.Option(
            "--calibrate-on", help="Cohort to calibrate on instead of validation patients; none of it trained on."
        ),
    ] = None,
    calibration_limit: Annotated[
        int | None,
        typer.Option(
            "--calibration-limit", min=1, help="Most images of a calibration patient; the promise starts there."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name that readings carry.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metadata as JSON.")] = False,
) -> None:
    """Export one ONNX file: preprocessing, network, calibration and evidence; refused unless its gates hold."""
    require_train("myosono export")
    require_writable(out)
    from myosono.cohort import Cohort
    from myosono.export import export_run
    from myosono.training import Run

    if calibration_limit is not None and calibrate_on is None:
        raise UsageError("--calibration-limit is for the cohort of --calibrate-on")
    for option, folders in (("--muscle-images", muscle_images), ("--other-images", other_images)):
        if folders and not gate:
            raise UsageError(f"{option} are for the gate, which --no-gate leaves out")
    exported = export_run(
        Run.open(run),
        Cohort.open(cohort),
        out,
        fold=fold,
        name=name,
        int8=int8,
        force=force,
        gate=gate,
        muscle_images=muscle_images or (),
        other_images=other_images or (),
        calibrate_on=None if calibrate_on is None else Cohort.open(calibrate_on),
        calibration_limit=calibration_limit,
        quiet=json,
    )
    if json:
        print_json({"path": str(exported.path), "bytes": out.stat().st_size, "metadata": exported.metadata})
        return
    metadata = exported.metadata
    console().print(
        f"[bold]{out}[/] {out.stat().st_size / 1e6:.2f} MB, {metadata['precision']}, "
        f"temperature {metadata['temperature']:.2f}, calibrated on {metadata['calibration']['patients']} patients",
        soft_wrap=True,
    )
    for check in exported.gates:
        console().print(f"{'[green]passed[/]' if check.passed else '[red]FAILED[/]'} {check}", soft_wrap=True)
    if metadata["forced"]:
        console().print("[yellow]kept by --force: every reading of this file warns[/]", soft_wrap=True)
