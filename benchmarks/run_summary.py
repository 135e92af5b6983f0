"""One CSV row per run and level: the figures of finished run folders, with the command that made each.

Usage: python benchmarks/run_summary.py OUT.csv RUN...
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auc")


def rows(run: Path) -> list[dict[str, object]]:
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    found = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    common = {
        "cohort": facts["cohort"]["name"],
        "content_hash": facts["cohort"]["content_hash"][:12],
        "simulated": facts["cohort"]["simulated"],
        "split": facts["split"]["kind"],
        "leaks": facts["split"]["leaks"],
        "model": facts["model"]["name"],
        "folds": found["counts"]["folds"],
        "images": found["counts"]["images"],
        "patients": found["counts"]["patients"],
        "command": facts["command"],
    }
    table = []
    for level, figures in found["levels"].items():
        row: dict[str, object] = {"level": level}
        for metric in METRICS:
            for part in ("value", "lo", "hi"):
                row[metric if part == "value" else f"{metric}_{part}"] = round(figures[metric][part], 4)
        table.append({**common, **row})
    return table


def main() -> None:
    out, *runs = (Path(argument) for argument in sys.argv[1:])
    table = [row for run in runs for row in rows(run)]
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
