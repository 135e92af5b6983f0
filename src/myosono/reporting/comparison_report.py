"""Write what `myosono compare` found: one HTML page, one CSV file, one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from myosono.evaluation import Estimate
from myosono.evaluation.comparison import UNKNOWN_SPLIT, Comparison, Condition, ModelScore, PairedDifference
from myosono.evaluation.figures.forest import draw_forest
from myosono.evaluation.figures.tradeoff import Point, draw_tradeoff
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.reporting.pages import csv_text, json_text, page_environment, write_files
from myosono.reporting.statements import Banner

Profiles = Mapping[str, Mapping[str, Any]]

COSTS = (
    ("macs", "multiply-accumulates, millions", 1e6),
    ("latency_ms", "latency of one image on one thread, ms", 1.0),
    ("file_bytes", "size of the ONNX file, MB", 1e6),
)
METRICS = (
    ("image", "accuracy", "Accuracy"),
    ("image", "balanced_accuracy", "Balanced acc."),
    ("image", "auc", "Macro-AUC"),
    ("image", "macro_f1", "Macro-F1"),
    ("patient", "accuracy", "Accuracy"),
    ("patient", "auc", "Macro-AUC"),
)
_FACTS: Mapping[str, Any] = {
    "command": "",
    "created": "",
    "versions": {},
    "machine": {},
    "cohort": "",
    "simulated": False,
    "failed": {},
}


def write_comparison(
    found: Comparison,
    out_dir: str | Path,
    *,
    profiles: Profiles | None,
    facts: Mapping[str, Any],
    missing_profile_reason: str | None = None,
) -> Path:
    """Write ``report.html``, ``summary.csv`` and ``comparison.json``; return the page's path.

    Parameters
    ----------
    profiles
        By model: ``macs, latency_ms, file_bytes``, as `myosono profile` measures them. A model without a profile, such
        as an estimator, is left out of the figures of cost, and the page says so.
    facts
        ``command, created, versions, machine, cohort, simulated`` and ``failed`` (errors by cell); what is absent is
        left out of the page.
    missing_profile_reason
        Why there are no ``profiles``.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    folder = Path(out_dir)
    files = {
        "report.html": render_comparison(found, profiles, facts, missing_profile_reason),
        "comparison.json": json_text({**found.to_dict(), "facts": dict(facts)}),
        "summary.csv": csv_text(found.to_rows()),
    }
    write_files(folder, files)
    return folder / "report.html"


def render_comparison(
    found: Comparison,
    profiles: Profiles | None,
    facts: Mapping[str, Any],
    missing_profile_reason: str | None = None,
) -> str:
    """The page as HTML text."""
    environment = page_environment(figure=figure_text, interval=interval_text, p=p_text)
    known = {**_FACTS, **facts}
    pools = dict.fromkeys(one.conditions for one in found.paired if len(one.conditions) > 1)
    return environment.get_template("comparison.html").render(
        found=found,
        facts=known,
        banners=_banners(found, known),
        metrics=METRICS,
        flagship=found.flagship.label(recipe=found.several_recipes),
        sections=[_section(found, condition, profiles or {}) for condition in found.conditions],
        pooled=[_differences(found, pool) for pool in pools],
        missing=None if profiles else missing_profile_reason,
    )


def figure_text(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, with a true minus sign.

    Examples
    --------
    >>> figure_text(0.81249), figure_text(-0.02, signed=True), figure_text(None)
    ('0.812', '−0.020', '–')
    """
    if value is None:
        return "–"
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("-", "−")


def interval_text(estimate: Estimate, *, signed: bool = False) -> str:
    """The 95 % interval, or nothing."""
    if estimate.lo is None or estimate.hi is None:
        return ""
    digits = "+.3f" if signed else ".2f"
    return f"{estimate.lo:{digits}} to {estimate.hi:{digits}}".replace("-", "−")


def p_text(value: float | None) -> str:
    """A p-value as it is read.

    Examples
    --------
    >>> p_text(0.0004), p_text(0.0312), p_text(None)
    ('< 0.001', '0.031', '–')
    """
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _section(found: Comparison, condition: Condition, profiles: Profiles) -> dict[str, Any]:
    scores = [score for score in found.scores if score.condition == condition]
    plots = []
    for cost, label, unit in COSTS:
        for metric, name in (("auc", "macro-AUC of images"), ("accuracy", "accuracy of images")):
            points = _points(found, scores, profiles, cost, unit, metric)
            if points:
                plots.append(Markup(draw_tradeoff(points, cost=label, score=name)))
    return {
        "condition": condition,
        "scores": sorted(scores, key=lambda one: -(one.metrics["image"]["auc"].value or 0.0)),
        "paired": _differences(found, (condition,)),
        "plots": plots,
        "without_cost": sorted({score.contender.model for score in scores} - set(profiles)) if profiles else [],
        "delong": [test for test in found.delong if test.condition == condition],
        "binary": len({test.positive for test in found.delong if test.condition == condition}) == 1,
    }


def _differences(found: Comparison, conditions: tuple[Condition, ...]) -> dict[str, Any]:
    """The forest plot of macro-AUC, and each contender's differences in every metric; empty without contenders."""
    main = found.differences(conditions, "image", "auc")
    flagship = found.flagship.label(recipe=found.several_recipes)
    forest = draw_forest(main, flagship=flagship, what="macro-AUC of images", recipe=found.several_recipes)
    by_contender: dict[str, list[PairedDifference]] = {}
    for level, metric, _ in METRICS:
        for one in found.differences(conditions, level, metric):
            by_contender.setdefault(one.contender.label(recipe=found.several_recipes), []).append(one)
    return {"conditions": conditions, "forest": Markup(forest) if main else None, "rows": by_contender}


def _points(
    found: Comparison, scores: Sequence[ModelScore], profiles: Profiles, cost: str, unit: float, metric: str
) -> list[Point]:
    points = []
    for score in scores:
        one, value = score.contender, score.metrics["image"][metric].value
        if one.model in profiles and value is not None:
            label = one.label(recipe=found.several_recipes)
            spent = float(profiles[one.model][cost]) / unit
            points.append(Point(label, spent, value, one.pretrained, one == found.flagship))
    return points


def _banners(found: Comparison, facts: Mapping[str, Any]) -> list[Banner]:
    banners = []
    leaking = [condition.label() for condition in found.conditions if condition.leaks]
    if leaking:
        text = (
            f"In {'; '.join(leaking)} (red below), images of one patient are trained on and tested. These figures tell "
            "how well a network knows a patient again, not how well it does on a new one."
        )
        banners.append(Banner("red", "A split that leaks", text))
    if any(condition.split == UNKNOWN_SPLIT for condition in found.conditions):
        text = (
            "The tables cannot tell what the tools were trained on. The figures hold for new patients only if no "
            "tested patient was among the training patients of any of them."
        )
        banners.append(Banner("amber", "Unknown split", text))
    if facts["simulated"]:
        text = "Made by this package's simulation, for testing and demonstration; no evidence about patients."
        banners.append(Banner("amber", "Simulated images", text))
    if facts["failed"] or not all(score.complete for score in found.scores):
        text = "Some folds are missing below: what a model lacks is left out of its differences, for the flagship too."
        banners.append(Banner("amber", "Not finished", text))
    parts = [
        f"{score.contender.label(recipe=found.several_recipes)} on {shared} of its {score.patients}"
        for score in found.scores
        if (shared := found.shared_patients(score)) is not None
    ]
    if parts:
        text = f"Some differences rest on the patients that both tested: {'; '.join(parts)}. The scores are of all."
        banners.append(Banner("amber", "A part of the patients", text))
    few = _few(found)
    if few:
        text = (
            f"Compared are {'; '.join(f'{count} in {name}' for name, count in few.items())}: intervals from fewer than "
            f"{FEW_PATIENTS} patients are too narrow, and one that leaves 0 out may be chance."
        )
        banners.append(Banner("amber", "Few patients", text))
    return banners


def _few(found: Comparison) -> dict[str, int]:
    """Conditions with few patients, and how many the smallest comparison there has."""
    fewest: dict[str, int] = {}
    for condition in found.conditions:
        pairs = [one.patients for one in found.paired if one.conditions == (condition,)]
        scores = [score.patients for score in found.scores if score.condition == condition]
        fewest[condition.label()] = min(pairs or scores)
    return {name: count for name, count in fewest.items() if count < FEW_PATIENTS}
