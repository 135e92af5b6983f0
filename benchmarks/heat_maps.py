"""Can the heat maps be believed? One patient fold each of lung, breast and simulated muscle.

Run from the root of the repository, with the cohorts of the suite (benchmarks/README.md) under ``cohorts/``:

    OMP_NUM_THREADS=1 python benchmarks/heat_maps.py

Trains ``runs/heat_NAME`` where it is missing, writes each page to ``build/heat_NAME/``, and the figures of all to
``benchmarks/results/heat_maps.csv``, ``heat_maps_curves.csv`` and ``heat_maps_randomisation.csv``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

from myosono.cohort import Cohort
from myosono.explanation import explain_run
from myosono.faithfulness import HeatMapStudy
from myosono.progress import progress_bar
from myosono.reporting import write_heat_maps
from myosono.training import Recipe, Run, train

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COMMAND = "OMP_NUM_THREADS=1 python benchmarks/heat_maps.py"
EPOCHS = {"pocus3": 25, "busi3": 25, "simulated": 15}
LIMIT = {"pocus3": 3, "busi3": 1, "simulated": 3}
"""Most images of a patient; breast images stand for themselves but for near-duplicates."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(EPOCHS), action="append", help="Only this cohort; keeps the others.")
    arguments = parser.parse_args()
    chosen = arguments.only or list(EPOCHS)
    for name in chosen:
        study = examine(name)
        for stem, rows in (
            ("heat_maps", study.to_rows()),
            ("heat_maps_curves", study.to_curve_rows()),
            ("heat_maps_randomisation", study.to_similarity_rows()),
        ):
            keep(RESULTS / f"{stem}.csv", name, study, rows)


def examine(name: str) -> HeatMapStudy:
    cohort, folder = Cohort.open(ROOT / "cohorts" / name), ROOT / "runs" / f"heat_{name}"
    if not (folder / "fold_0" / "fold.json").exists():
        recipe = Recipe(model="stanet_s", size=128, epochs=EPOCHS[name])
        train(cohort, recipe, folder, command=COMMAND, only_folds=[0])
    with progress_bar() as bar:
        task = bar.add_task(name, total=None)
        study, examples = explain_run(
            Run.open(folder),
            cohort,
            limit=LIMIT[name],
            command=COMMAND,
            on_start=lambda count: bar.update(task, total=count),
            on_image=lambda: bar.advance(task),
        )
    write_heat_maps(ROOT / "build" / f"heat_{name}", study, examples)
    return study


def keep(path: Path, name: str, study: HeatMapStudy, rows: list[dict[str, Any]]) -> None:
    """Replace this cohort's rows in a table of all cohorts."""
    kept: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            kept = [row for row in csv.DictReader(stream) if row["cohort"] != name]
    about = {"cohort": name, "images": study.images, "patients": study.patients, "right": round(study.accuracy, 3)}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*about, *rows[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *(about | row for row in rows)])


if __name__ == "__main__":
    main()
