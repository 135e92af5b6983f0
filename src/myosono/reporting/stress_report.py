"""Write what `myosono stress` found: one HTML page, one CSV file, one JSON file, and the figures as SVG files."""

from __future__ import annotations

from pathlib import Path

from myosono.evaluation import Estimate
from myosono.reporting.pages import csv_text, json_text, page_environment, write_files
from myosono.reporting.statements import Banner, interval, number
from myosono.robustness import StressResult
from myosono.robustness.figures import METRIC_TITLES, draw_stress, write_figures
from myosono.robustness.result import STRESS_LEVELS, STRESS_METRICS

STEM = "stress"
SHOWN = ("balanced_accuracy", "ece")
"""Metrics that are drawn in the open; the others unfold."""


def write_stress(out_dir: str | Path, found: StressResult) -> Path:
    """Write ``stress.html``, ``.csv``, ``.json`` and ``figures/``; return the page's path.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    folder = Path(out_dir)
    files = {
        f"{STEM}.html": render_stress(found),
        f"{STEM}.json": json_text(found.to_dict()),
        f"{STEM}.csv": csv_text(found.to_rows()),
    }
    write_files(folder, files)
    write_figures(found, folder / "figures")
    return folder / f"{STEM}.html"


def render_stress(found: StressResult) -> str:
    """The page as HTML text."""
    environment = page_environment(number=number, interval=interval, signed=signed, sentence=sentence_case)
    return environment.get_template("stress.html").render(
        found=found,
        banners=stress_banners(found),
        levels=STRESS_LEVELS,
        shown=SHOWN,
        metrics=STRESS_METRICS,
        titles=METRIC_TITLES,
        draw=lambda level, metric: draw_stress(found, level, metric),
    )


def sentence_case(text: str) -> str:
    """A title at the start of a sentence; abbreviations keep their capitals.

    Examples
    --------
    >>> sentence_case("macro-AUC")
    'Macro-AUC'
    """
    return text[:1].upper() + text[1:]


def signed(estimate: Estimate, digits: int = 2) -> str:
    """A change for print, with its sign and interval.

    Examples
    --------
    >>> signed(Estimate(-0.2, -0.31, -0.1)), signed(Estimate(None))
    ('−0.20 (−0.31 to −0.10)', '–')
    """
    if estimate.value is None:
        return "–"
    text = f"{estimate.value:+.{digits}f}"
    if estimate.lo is not None and estimate.hi is not None:
        text += f" ({estimate.lo:+.{digits}f} to {estimate.hi:+.{digits}f})"
    return text.replace("-", "−")


def stress_banners(found: StressResult) -> list[Banner]:
    """Banners in order of gravity: what invalidates the figures first."""
    banners = []
    for model in found.models:
        if model.standing in ("unknown", "unproven", "leaking"):
            title = "Training patients may be among these"
            unless = "If it was not, the" if model.standing == "unproven" else "The"
            banners.append(Banner("red", title, f"{model.statement}. {unless} figures overestimate."))
        if model.standing == "calibrated":
            banners.append(Banner("red", "Calibrated on these patients", f"{model.statement}. It is too small."))
    if found.simulated:
        text = "Made by this package's simulation. Nothing here is evidence about patients."
        banners.append(Banner("amber", "Simulated images", text))
    for model in found.models:
        if model.standing == "other_cohort":
            banners.append(Banner("amber", "Another cohort", f"{model.statement}."))
    return banners
