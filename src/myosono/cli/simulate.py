"""`myosono simulate`: a cohort of simulated images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from myosono.cli.output import SIMULATED_NOTE, console, print_json
from myosono.extras import require_train


def simulate_command(
    out: Annotated[Path, typer.Option("--out", help="Folder of the new cohort.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes, on one machine and versions of libraries.")] = 0,
    patients: Annotated[
        int | None, typer.Option(help="Patients in all, evenly over the diagnoses; default: the public set's 80.")
    ] = None,
    images_per_patient: Annotated[
        int | None, typer.Option(help="Images of each patient; default: the public set's structure.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Size of the pixel grid; 1 is 498 rows.")] = 1.0,
    workers: Annotated[int, typer.Option(help="Processes that render.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a cohort that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Simulate B-mode muscle images of a cohort: for testing and demonstration, never clinical."""
    require_train("myosono simulate")
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    if patients is None:
        config = SimulationConfig(seed=seed, images_per_patient=images_per_patient, scale=scale, workers=workers)
    else:
        counts = SimulationConfig.small(patients).patients
        config = SimulationConfig(
            patients=counts, seed=seed, images_per_patient=images_per_patient, scale=scale, workers=workers
        )
    cohort = simulate_cohort(config, out, progress=True, overwrite=overwrite)
    summary = {
        "cohort": str(out),
        "images": len(cohort.table),
        "patients": int(cohort.table["patient_id"].nunique()),
        "content_hash": cohort.info.content_hash,
    }
    if json:
        print_json(summary)
        return
    place = escape(str(out))
    console().print(
        f"[bold]{summary['images']}[/] simulated images of [bold]{summary['patients']}[/] patients in {place}\n"
        f"[yellow]{SIMULATED_NOTE}[/]"
    )
