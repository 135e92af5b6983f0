"""Prediction sets on a real run: coverage, set size and abstention of test patients, by class.

Usage: python benchmarks/conformal_on_run.py RUN [RUN...] [--alpha 0.1] [--out benchmarks/results/conformal_pocus3.csv]

RUN is a run folder of `myosono train` or a predictions table with validation and test rows. Each fold's rule comes from
its validation patients and judges its test patients, so no patient is judged by a rule that it helped to make. (The
validation patients also chose the epoch and the temperatures: the promise leans on that choice being mild.)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.evaluation import Estimate, Evaluation, evaluate, read_predictions
from myosono.evaluation.result import SetFigures

OUT = Path(__file__).parent / "results" / "conformal_pocus3.csv"
FIGURES = ("coverage", "decided", "narrowed", "abstained", "accuracy_when_decided")


def rows(path: Path, alpha: float, resamples: int) -> list[dict[str, object]]:
    facts: dict[str, Any] = {}
    if path.is_dir():
        facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
        path = path / "predictions.parquet"
    found = evaluate(read_predictions(path, classes=facts.get("classes")), alpha=alpha, resamples=resamples)
    if found.conformal.overall is None:
        raise SystemExit(f"{path}: {found.conformal.note}")
    common = {
        "cohort": facts.get("cohort", {}).get("name", path.name),
        "model": facts.get("model", {}).get("name", ""),
        "params": facts.get("model", {}).get("params", ""),
        "split": facts.get("split", {}).get("kind", ""),
        "promised": 1 - alpha,
        "rule": kinds(found),
    }
    everyone = {"all": found.conformal.overall, **found.conformal.per_class}
    command = " ".join(
        ["python benchmarks/conformal_on_run.py RUN, after", facts.get("command") or f"{path.name} was written"]
    )
    return [common | {"patients_of": name} | figures(one) | {"command": command} for name, one in everyone.items()]


def kinds(found: Evaluation) -> str:
    return ", ".join(sorted({fold.kind for fold in found.conformal.folds.values()}))


def figures(one: SetFigures) -> dict[str, object]:
    values: dict[str, object] = {"patients": one.patients}
    for name in FIGURES:
        estimate: Estimate = getattr(one, name)
        for part in ("value", "lo", "hi"):
            number = getattr(estimate, part)
            values[name if part == "value" else f"{name}_{part}"] = None if number is None else round(number, 4)
    return values | {"mean_set_size": None if one.mean_set_size is None else round(one.mean_set_size, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--alpha", type=float, default=0.1, help="promised miss rate")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    table = pd.DataFrame([row for run in arguments.runs for row in rows(run, arguments.alpha, arguments.resamples)])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out, index=False, lineterminator="\n")
    print(table.drop(columns="command").to_string(index=False))


if __name__ == "__main__":
    main()
