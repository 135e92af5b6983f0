"""`summary.csv` and `paired.csv` from the suite's kept predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.evaluation.comparison import Comparison, Condition, Contender, Entry, compare

FLAGSHIPS = {
    128: (
        Contender("stanet_s", recipe="house"),
        Contender("stanet_s", pretrained=True, recipe="house"),
        Contender("stanet_s", pretrained=True, recipe="taught"),
    ),
    96: (Contender("stanet_s", recipe="house_96px"),),
}
"""By size, what all others are paired with: from random weights, its own starting weights, taught by three of those."""
POOLED = ("pocus3", "busi3")
Kept = tuple[Entry, dict[str, Any]]


def write_tables(kept: Sequence[Kept], folder: Path) -> None:
    """Score everything, pair everything with the flagship's ways of training at the same size, write both tables."""
    costs = {one["name"]: one for one in json.loads((folder / "profile.json").read_text(encoding="utf-8"))}
    kept = settled(kept)
    rows: list[dict[str, Any]] = []
    paired: list[pd.DataFrame] = []
    for px, flagships in FLAGSHIPS.items():
        entries = [entry for entry, facts in kept if facts["px"] == px]
        there = {entry.contender for entry in entries}
        pool = [condition for condition in dict.fromkeys(e.condition for e in entries) if in_pool(condition)]
        pools = [pool] if len(pool) == len(POOLED) else []
        found = [compare(entries, flagship=one, pools=pools, quiet=False) for one in flagships if one in there]
        paired += [paired_rows(one) for one in found]
        rows += [summary_row(row, kept, costs) for row in found[0].to_rows()] if found else []
    table = pd.DataFrame(rows).sort_values(["benchmark", "split", "px", "model", "recipe", "pretrained"])
    table.to_csv(folder / "summary.csv", index=False, float_format="%.4f")
    pd.concat(paired, ignore_index=True).to_csv(folder / "paired.csv", index=False, float_format="%.4f")


def settled(kept: Sequence[Kept]) -> list[Kept]:
    """Without a further seed that is only begun: beside a seed whose folds are whole it would unbalance the mean."""

    def folds(entry: Entry) -> int:
        return int(entry.images.table["fold"].nunique())

    whole = {(entry.contender, entry.condition) for entry, _ in kept if folds(entry) == entry.of_folds}
    return [
        (entry, facts)
        for entry, facts in kept
        if folds(entry) == entry.of_folds or (entry.contender, entry.condition) not in whole
    ]


def in_pool(condition: Condition) -> bool:
    return condition.cohort in POOLED and condition.split == "patient"


def summary_row(row: dict[str, Any], kept: Sequence[Kept], costs: dict[str, Any]) -> dict[str, Any]:
    """Costs are those at 224 px grey, by `myosono profile`; an estimator has none."""
    facts = [facts for entry, facts in kept if is_of(entry, row)]
    cost = costs.get(row["model"], {})
    return {
        "benchmark": row["cohort"],
        "split": row["split"],
        "model": row["model"],
        "pretrained": row["pretrained"],
        "recipe": row["recipe"],
        "px": facts[0]["px"],
        "folds": row["folds"],
        "seeds": row["seeds"],
        "macs": cost.get("macs"),
        "latency_ms": cost.get("latency_ms"),
        "file_bytes": cost.get("file_bytes"),
        "accuracy": row["image_accuracy"],
        "balanced_accuracy": row["image_balanced_accuracy"],
        "macro_auc": row["image_auc"],
        "macro_auc_lo": row["image_auc_lo"],
        "macro_auc_hi": row["image_auc_hi"],
        "patient_accuracy": row["patient_accuracy"],
        "patient_macro_auc": row["patient_auc"],
        "command": facts[0]["command"],
        "commit": " ".join(dict.fromkeys(one["commit"] for one in facts)),
    }


def is_of(entry: Entry, row: dict[str, Any]) -> bool:
    one, where = entry.contender, entry.condition
    mine = (one.model, one.pretrained, one.recipe, where.cohort, where.task, where.split)
    return mine == tuple(row[key] for key in ("model", "pretrained", "recipe", "cohort", "task", "split"))


def paired_rows(found: Comparison) -> pd.DataFrame:
    """Contender minus flagship: image-level macro-AUC and accuracy, by set and pooled over sets."""
    rows = []
    for one in found.paired:
        if one.level == "image" and one.metric in ("auc", "accuracy"):
            rows.append(
                {
                    "benchmarks": "+".join(condition.cohort for condition in one.conditions),
                    "split": one.conditions[0].split,
                    "model": one.contender.model,
                    "pretrained": one.contender.pretrained,
                    "recipe": one.contender.recipe,
                    "against": found.flagship.label(recipe=found.flagship.recipe != "house"),
                    "metric": one.metric,
                    "difference": one.difference.value,
                    "lo": one.difference.lo,
                    "hi": one.difference.hi,
                    "p": one.p,
                    "p_holm": one.p_holm,
                    "seeds": " ".join(map(str, one.seeds)),
                    "patients": one.patients,
                }
            )
    return pd.DataFrame(rows)
