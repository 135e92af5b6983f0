"""Write what `myosono compare` found: one HTML page, one CSV file, one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from myosono.evaluation import Estimate
from myosono.evaluation.comparison import Comparison, Condition, ModelScore, PairedDifference
from myosono.evaluation.figures.forest import draw_forest
from myosono.evaluation.figures.tradeoff import Point, draw_tradeoff
from myosono.evaluation.wording import end_text, share_text
from myosono.reporting.comparison_banners import comparison_banners
from myosono.reporting.pages import csv_text, json_text, page_environment, write_files

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
    "notes": [],
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
        ``command, created, versions, machine, cohort, simulated``, ``failed`` (errors by cell) and ``notes`` (what was
        mended in the tables); what is absent is left out of the page.
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
        banners=comparison_banners(found, known),
        metrics=METRICS,
        flagship=found.flagship.label(recipe=found.several_recipes),
        sections=[_section(found, condition, profiles or {}) for condition in found.conditions],
        pooled=[_differences(found, pool) for pool in pools],
        missing=None if profiles else missing_profile_reason,
        same_patients=all(map(found.same_units, found.conditions)),
    )


def figure_text(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, with a true minus sign; 1.000 is said only of what is 1.

    Examples
    --------
    >>> figure_text(0.81249), figure_text(0.9996), figure_text(-0.02, signed=True), figure_text(None)
    ('0.812', '0.9996', '−0.020', '–')
    """
    if value is None:
        return "–"
    return (f"{value:+.3f}" if signed else share_text(value, 3)).replace("-", "−")


def interval_text(estimate: Estimate, *, signed: bool = False) -> str:
    """The 95 % interval, or nothing."""
    if estimate.lo is None or estimate.hi is None:
        return ""
    lo, hi = (f"{end:+.3f}" if signed else end_text(end, 3) for end in (estimate.lo, estimate.hi))
    return f"{lo} to {hi}".replace("-", "−")


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
        "scores": _ranked(scores),
        "paired": _differences(found, (condition,)),
        "plots": plots,
        "without_cost": sorted({score.contender.model for score in scores} - set(profiles)) if profiles else [],
        "delong": [test for test in found.delong if test.condition == condition],
        "binary": len({test.positive for test in found.delong if test.condition == condition}) == 1,
    }


def _ranked(scores: Sequence[ModelScore]) -> list[ModelScore]:
    """The best first, but never one that answered for fewer patients or images before one that answered for all."""
    most = max((score.patients, score.images) for score in scores)

    def place(score: ModelScore) -> tuple[bool, float]:
        return (score.patients, score.images) < most, -(score.metrics["image"]["auc"].value or 0.0)

    return sorted(scores, key=place)


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
