"""`summary.csv` and `paired.csv` from the suite's kept predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from myosono.evaluation.comparison import Comparison, Condition, Contender, Entry, compare
from myosono.networks import record

FLAGSHIPS = {
    128: (
        Contender("stanet_s", recipe="house"),
        Contender("stanet_s", pretrained=True, recipe="house"),
        Contender("stanet_s", pretrained=True, recipe="taught"),
    ),
    96: (
        Contender("stanet_s", recipe="house_96px"),
        Contender("stanet_s", pretrained=True, recipe="taught_96px"),
    ),
}
"""By size, what all others are paired with: from random weights, its own starting weights, taught by three of those."""
KEY = ("model", "pretrained", "recipe", "cohort", "task", "split")
"""What identifies a row of a comparison."""
SMALL = Contender("stanet_xs", recipe="house")
SMALL_MACS = 60e6
"""The smaller of ours, and the computation of the peers that it stands against."""
POOLED = ("pocus3", "busi3")
SUITE_NAMES = {"simulated": "sim4"}
"""Cohorts that the suite calls otherwise: the one of `myosono simulate` keeps its plain name in its own folder."""
Kept = tuple[Entry, dict[str, Any]]


def write_tables(kept: Sequence[Kept], folder: Path) -> None:
    """Score everything, pair everything with the flagship's ways of training at the same size, write both tables."""
    costs = {one["name"]: one for one in json.loads((folder / "profile.json").read_text(encoding="utf-8"))}
    kept = settled(kept)
    rows: list[dict[str, Any]] = []
    paired: list[pd.DataFrame] = []
    for px, flagships in FLAGSHIPS.items():
        found = compared([one for one in kept if one[1]["px"] == px], flagships, costs)
        paired += [paired_rows(one) for one in found]
        scores = {tuple(row[key] for key in KEY): row for one in found for row in one.to_rows()}
        rows += [summary_row(row, kept, costs) for row in scores.values()]
    table = pd.DataFrame(rows).sort_values(["benchmark", "split", "px", "model", "recipe", "pretrained"])
    table.to_csv(folder / "summary.csv", index=False, float_format="%.4f")
    pd.concat(paired, ignore_index=True).to_csv(folder / "paired.csv", index=False, float_format="%.4f")


def compared(
    kept: Sequence[Kept], flagships: Sequence[Contender], costs: Mapping[str, Mapping[str, Any]]
) -> list[Comparison]:
    """Three families of hypotheses, each with a Holm correction of its own.

    Whether a peer is better than the flagship, in each of its ways of training; whether a small one is better than the
    smaller of ours; and what was tried on the way: one decision in the flagship's design, a peer's recipe that its
    validation patients did not ask for. How much of the one is tried must not decide what is shown of the other.
    """
    there = {entry.contender for entry, _ in kept}
    peers = [entry for entry, facts in kept if not is_trial(entry, facts)]
    found = [_compare(peers, one) for one in flagships if one in there]
    small = [one for one in peers if costs.get(one.contender.model, {}).get("macs", SMALL_MACS) < SMALL_MACS]
    if SMALL in {entry.contender for entry in small}:
        found.append(_compare(small, SMALL))
    trials = [entry for entry, facts in kept if is_trial(entry, facts)]
    base = flagships[0]
    if trials and base in there:
        found.append(_compare([*trials, *(entry for entry in peers if entry.contender == base)], base))
    return found


def is_trial(entry: Entry, facts: dict[str, Any]) -> bool:
    """Ablations, and peers' recipes on the one fold that they were chosen on; the chosen one goes on to all folds."""
    return record(entry.contender.model).family == "ablation" or "--stage recipe-choice" in facts["command"]


def _compare(entries: Sequence[Entry], flagship: Contender) -> Comparison:
    pool = [condition for condition in dict.fromkeys(e.condition for e in entries) if in_pool(condition)]
    return compare(entries, flagship=flagship, pools=[pool] if len(pool) == len(POOLED) else [], quiet=False)


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
        "benchmark": suite_name(row["cohort"]),
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


def suite_name(cohort: str) -> str:
    return SUITE_NAMES.get(cohort, cohort)


def is_of(entry: Entry, row: dict[str, Any]) -> bool:
    one, where = entry.contender, entry.condition
    mine = (one.model, one.pretrained, one.recipe, where.cohort, where.task, where.split)
    return mine == tuple(row[key] for key in KEY)


def paired_rows(found: Comparison) -> pd.DataFrame:
    """Contender minus flagship: image-level macro-AUC and accuracy, by set and pooled over sets."""
    rows = []
    for one in found.paired:
        if one.level == "image" and one.metric in ("auc", "accuracy"):
            rows.append(
                {
                    "benchmarks": "+".join(suite_name(condition.cohort) for condition in one.conditions),
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
