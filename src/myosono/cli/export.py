"""`myosono export`: run → one model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from myosono.cli.output import console, print_json
from myosono.extras import require_train


def export_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="The run's cohort; parity is proved on its images.")],
    out: Annotated[Path, typer.Option("--out", help="Model file to write, .onnx.")],
    fold: Annotated[int, typer.Option(help="Whose network; it never saw this fold's test patients.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name that readings carry.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metadata as JSON.")] = False,
) -> None:
    """Export one ONNX file: preprocessing, network, calibration and evidence; refused unless parity holds."""
    require_train("myosono export")
    from myosono.cohort import Cohort
    from myosono.export import export_run
    from myosono.training import Run

    exported = export_run(Run.open(run), Cohort.open(cohort), out, fold=fold, name=name)
    if json:
        print_json({"path": str(exported.path), "bytes": out.stat().st_size, "metadata": exported.metadata})
        return
    parity = exported.parity
    console().print(
        f"[bold]{out}[/] {out.stat().st_size / 1e6:.2f} MB, temperature {exported.metadata['temperature']:.2f}\n"
        f"parity on {parity.images} images: max |Δlogit| {parity.max_logit_difference:.1e}, "
        f"{parity.argmax_agreement:.1%} equal decisions",
        soft_wrap=True,
    )
