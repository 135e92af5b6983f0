"""`myosono demo`: the whole job on a simulated cohort, in minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from myosono.cli.output import SIMULATED_NOTE, console, print_json, typed_command
from myosono.extras import require_train

PATIENTS, IMAGES_PER_PATIENT, SCALE = 64, 8, 0.5
DEMO_SETTINGS = {
    "validation_fraction": 0.25,
    "size": 128,
    "epochs": 16,
    "patience": 16,
    "folds": 3,
    "batch_size": 16,
    "average_decay": 0.95,
}
"""Small enough for two cores and a few minutes; `myosono train` has the real defaults."""


def demo_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything; the same command resumes.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print paths and figures as JSON.")] = False,
) -> None:
    """Simulate a cohort, train with patient-level folds, evaluate, export, read a held-out patient, report."""
    require_train("myosono demo")
    from myosono.cli.evaluate import print_summary
    from myosono.cli.read import show_reading, write_reading
    from myosono.cohort import Cohort, is_cohort
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort
    from myosono.export import export_run
    from myosono.reading import load
    from myosono.reporting import write_run_report
    from myosono.training import load_recipe, train

    started = time.perf_counter()
    to = console()

    def say(text: str) -> None:
        if not json:
            to.print(f"\n[bold cyan]{text}[/]")

    recipe = load_recipe(None, DEMO_SETTINGS | {"seed": seed})  # first: a seed out of range is told before the work
    say("1/5  Simulating a cohort")
    folder = out / "cohort"
    config = SimulationConfig.small(PATIENTS, images_per_patient=IMAGES_PER_PATIENT, scale=SCALE, seed=seed)
    cohort = Cohort.open(folder) if is_cohort(folder) else simulate_cohort(config, folder)
    say(f"2/5  Training with {DEMO_SETTINGS['folds']} patient-level folds")
    run, evaluation = train(cohort, recipe, out / "run", command=typed_command())
    report = write_run_report(run.path, evaluation)
    say("3/5  Evaluated on held-out patients")
    if not json:
        print_summary(evaluation, to)
    say("4/5  Exporting one model file and proving its parity")
    exported = export_run(run, cohort, out / "model.onnx", fold=0)
    say("5/5  Reading a patient whom that model never saw")
    predictions = run.predictions().query("fold == 0 and role == 'test'")
    patient = str(predictions["patient_id"].iloc[0])
    images = [cohort.path_of(image_id) for image_id in predictions.query("patient_id == @patient")["image_id"]]
    reader = load(exported.path)
    reading = reader.read(images)
    write_reading(reader, reading, out / "reading")
    if json:
        print_json(
            {
                "report": str(report),
                "model": str(exported.path),
                "patient": patient,
                "reading": reading.to_dict(),
                "metrics": evaluation.to_dict(),
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
        return
    show_reading(reading, to)
    to.print(f"[dim]truth of {patient}:[/] {predictions['target'].iloc[0]}")
    to.print(f"[yellow]{SIMULATED_NOTE}[/]")
    to.print(f"\n[dim]model:[/] {exported.path}\n[dim]overlays:[/] {out / 'reading'}", soft_wrap=True)
    to.print(f"[bold green]report:[/] {report.resolve()}", soft_wrap=True)
    to.print(f"[dim]{time.perf_counter() - started:.0f} s in all[/]")
