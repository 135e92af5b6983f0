"""The benchmark suite of `suite.yaml`: fit its cells in order, keep their predictions, make the summary from them.

    python benchmarks/suite.py run [--stage NAME ...] [--model NAME ...] [--budget-minutes M] [--workers N]
    python benchmarks/suite.py choose
    python benchmarks/suite.py table
    python benchmarks/suite.py predictions pocus3 stanet_s OUT.parquet

`run` continues where it was stopped, also in a fresh clone: finished cells lie in `runs/suite`, and the test
predictions of every model, recipe, split and seed are kept in `benchmarks/results/predictions` with the hash of the
cell that each fold came from, so that no fold that is kept is fitted again. From these alone `table` makes
`benchmarks/results/summary.csv` and `benchmarks/results/paired.csv`, and from those the tables in the READMEs. The
cohorts are made by the commands in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from myosono.cohort import Cohort
from myosono.evaluation.comparison import Condition, Contender, Entry
from myosono.evaluation.table import check_predictions
from myosono.training.recipe import Recipe, load_recipe
from myosono.training.sweep import (
    Cell,
    CellStore,
    Processes,
    collect_entries,
    condition_of,
    contender_of,
    plan_cells,
    run_sweep,
)

ROOT = Path(__file__).parent
PREDICTIONS = ROOT / "results" / "predictions"
CHOICE = ROOT / "results" / "recipe_choice.csv"
STORE = CellStore(ROOT.parent / "runs" / "suite")
DIGITS = 5


def load_suite() -> dict[str, Any]:
    suite: dict[str, Any] = yaml.safe_load((ROOT / "suite.yaml").read_text(encoding="utf-8"))
    return suite


@cache
def open_cohort(folder: Path) -> Cohort:
    return Cohort.open(folder)


def stage_recipes(suite: dict[str, Any], stage: dict[str, Any], names: list[str]) -> dict[str, Recipe]:
    overrides = suite["defaults"] | {key: stage[key] for key in ("size", "epochs") if key in stage}
    return {name: load_recipe(ROOT.parent / suite["recipes"][name], dict(overrides)) for name in names}


def stage_parts(suite: dict[str, Any], stage: dict[str, Any]) -> list[tuple[list[str], list[str]]]:
    """Networks and the names of their recipes; each its own where they are chosen, none before that is settled."""
    names = stage.get("recipes", ["house"])
    if names != "chosen":
        return [(stage["models"], names)]
    from suite_recipes import COLUMNS, chosen_recipes

    choices = [one for one in suite["stages"] if one["name"].startswith("recipe-choice")]
    table = pd.read_csv(CHOICE) if CHOICE.exists() else pd.DataFrame(columns=COLUMNS)
    found = chosen_recipes(table, len(choices[0]["recipes"]), len(choices[0]["benchmarks"]))
    keys = [(model, model in stage.get("pretrained", [])) for model in stage["models"]]
    return [([key[0]], [found[key]]) for key in keys if key in found]


def stage_cells(suite: dict[str, Any], stage: dict[str, Any]) -> list[Cell]:
    """Cells of a stage, fold by fold across its benchmarks, so that the cohorts grow evenly."""
    cells = []
    for models, names in stage_parts(suite, stage):
        for benchmark in stage["benchmarks"]:
            cells += plan_cells(
                open_cohort(ROOT.parent / suite["cohorts"][benchmark]),
                stage_recipes(suite, stage, names),
                models=models,
                splits=[stage.get("split", "patient")],
                seeds=stage.get("seeds", [0]),
                pretrained=[model for model in models if model in stage.get("pretrained", [])],
                only_folds=stage.get("only_folds"),
            )
    return sorted(cells, key=lambda cell: (cell.contest.seed, cell.fold))


def run(arguments: argparse.Namespace) -> int:
    suite = load_suite()
    started, failed = time.monotonic(), 0
    for stage in suite["stages"]:
        if arguments.stage and stage["name"] not in arguments.stage:
            continue
        left = None if arguments.budget_minutes is None else arguments.budget_minutes * 60 - time.monotonic() + started
        if left is not None and left <= 0:
            break
        cells = stage_cells(suite, stage)
        command = f"python benchmarks/suite.py run --stage {stage['name']}"
        todo = [cell for cell in cells if cell.key not in kept_keys() and is_wanted(cell, arguments.model)]
        try:
            result = run_sweep(todo, STORE, Processes(arguments.workers), command=command, budget_seconds=left)
            failed += len(result.failed)
        finally:  # an interrupted stage keeps what it finished
            for group in keep_predictions(cells, command):
                print(group, flush=True)
    return 1 if failed else 0


def is_wanted(cell: Cell, models: list[str] | None) -> bool:
    return models is None or cell.recipe.model in models


def kept_keys() -> set[str]:
    """Cells whose predictions are kept in the repository."""
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in PREDICTIONS.glob("*/*.json")]
    return {key for one in facts for key in one["cells"].values()}


def keep_predictions(cells: list[Cell], command: str) -> list[Path]:
    """Write each entry's calibrated test predictions and its facts; what is unchanged keeps its commit.

    Folds that were kept before and are not among these cells, or not in the store, stay if they came from the very
    cells that a stage plans now: a recipe is tried on one fold by one stage, and run on all by another.
    """
    written = []
    for entry in collect_entries(cells, STORE):
        one, where = entry.contender, entry.condition
        mine = [cell for cell in cells if is_of(cell, entry)]
        px = mine[0].recipe.size
        weights = "-pretrained" if one.pretrained else ""
        name = f"{where.split}-{one.model}{weights}-{one.recipe}-{px}px-seed{entry.seed}"
        path = PREDICTIONS / where.cohort / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = ["image_id", "patient_id", "fold", "target", *(f"p_{label}" for label in entry.images.classes)]
        fresh = entry.images.table[wanted].round(DIGITS)
        planned = {str(cell.fold): cell.key for cell in mine}
        mine_now = {str(fold) for fold in fresh["fold"].unique()}
        before, cells_before, old = earlier(path, set(planned.values()), mine_now)
        table = pd.concat([fresh, before]).sort_values(["fold", "image_id"], ignore_index=True)
        if path.exists() and table.equals(pd.read_parquet(path)):
            continue
        table.to_parquet(path, compression="zstd", index=False)
        facts = {
            "contender": asdict(one),
            "condition": asdict(where),
            "seed": entry.seed,
            "classes": list(entry.images.classes),
            "patient_temperatures": dict(sorted((old | dict(entry.patient_temperatures)).items())),
            "of_folds": entry.of_folds,
            "px": px,
            "cells": dict(sorted((cells_before | {fold: planned[fold] for fold in mine_now}).items())),
            "command": command,
            "commit": commit(),
        }
        path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written


def is_of(cell: Cell, entry: Entry) -> bool:
    mine = (contender_of(cell), condition_of(cell), cell.contest.seed)
    return mine == (entry.contender, entry.condition, entry.seed)


@cache
def planned_cells() -> frozenset[str]:
    """Keys of all cells of all stages; it takes half a minute."""
    suite = load_suite()
    return frozenset(cell.key for stage in suite["stages"] for cell in stage_cells(suite, stage))


def earlier(
    path: Path,
    planned: set[str],
    fresh: set[str],
    elsewhere: Callable[[], frozenset[str]] = planned_cells,
) -> tuple[pd.DataFrame | None, dict[str, str], dict[str, float]]:
    """Of folds that are kept, not fitted anew, and planned here or by another stage: rows, cells, temperatures."""
    if not path.exists():
        return None, {}, {}
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    left = {fold: key for fold, key in facts["cells"].items() if fold not in fresh}
    same = {fold: key for fold, key in left.items() if key in planned or key in elsewhere()}
    table = pd.read_parquet(path)
    temperatures = {fold: value for fold, value in facts["patient_temperatures"].items() if fold in same}
    return table[table["fold"].astype(str).isin(same)], same, temperatures


def kept_entries() -> list[tuple[Entry, dict[str, Any]]]:
    found = []
    for path in sorted(PREDICTIONS.glob("*/*.parquet")):
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        table = pd.read_parquet(path).assign(role="test")
        probabilities = [f"p_{label}" for label in facts["classes"]]
        table[probabilities] = table[probabilities].div(table[probabilities].sum(axis=1), axis=0)  # they were rounded
        entry = Entry(
            contender=Contender(**facts["contender"]),
            condition=Condition(**facts["condition"]),
            seed=facts["seed"],
            images=check_predictions(table, classes=facts["classes"], path=path),
            patient_temperatures=facts["patient_temperatures"],
            of_folds=facts["of_folds"],
        )
        found.append((entry, facts))
    return found


def commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=True)
    return told.stdout.strip()


def table(arguments: argparse.Namespace) -> int:
    from suite_readme import Results, written
    from suite_table import write_tables

    write_tables(kept_entries(), ROOT / "results")
    for path, text in written(Results(ROOT / "results"), ROOT.parent).items():
        path.write_text(text, encoding="utf-8")
    return 0


def choose(arguments: argparse.Namespace) -> int:
    from suite_recipes import write_choice

    suite = load_suite()
    cells = [
        cell
        for stage in suite["stages"]
        if stage["name"].startswith("recipe-choice")
        for cell in stage_cells(suite, stage)
    ]
    found = write_choice(cells, STORE, CHOICE)
    print(f"{CHOICE}: {len(found)} of {len(cells)} cells")
    return 0


def predictions(arguments: argparse.Namespace) -> int:
    """Validation and test rows of a model's finished cells (patient split, first seed), for other scripts."""
    suite = load_suite()
    stages = [stage for stage in suite["stages"] if arguments.model in stage["models"] and "split" not in stage]
    cells = [cell for cell in stage_cells(suite, stages[0]) if cell.recipe.model == arguments.model]
    mine = [cell for cell in cells if cell.contest.cohort.info.name == arguments.benchmark]
    pd.concat([STORE.predictions(cell) for cell in mine], ignore_index=True).to_parquet(arguments.out, index=False)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    runner = verbs.add_parser("run", help="fit cells that are not fitted yet")
    runner.add_argument("--stage", action="append", help="only this stage (repeatable)")
    runner.add_argument("--model", action="append", help="only this network of the stages (repeatable)")
    runner.add_argument("--budget-minutes", type=float, help="begin no cell after this")
    runner.add_argument("--workers", type=int, default=2, help="cells at once, one thread each")
    runner.set_defaults(verb=run)
    verbs.add_parser(
        "table", help="summary.csv, paired.csv and the READMEs' tables from the kept predictions"
    ).set_defaults(verb=table)
    verbs.add_parser("choose", help="recipe_choice.csv from the finished cells of recipe-choice").set_defaults(
        verb=choose
    )
    writer = verbs.add_parser("predictions", help="validation and test rows of one model on one benchmark")
    writer.add_argument("benchmark")
    writer.add_argument("model")
    writer.add_argument("out", type=Path)
    writer.set_defaults(verb=predictions)
    arguments = parser.parse_args()
    code: int = arguments.verb(arguments)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
