"""Write what `myosono explain` found: one HTML page, CSV and JSON files, the figures, and example maps."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from myosono.evaluation import Estimate
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.faithfulness import Example, HeatMapStudy
from myosono.faithfulness.figures import draw_curves, draw_randomisation
from myosono.faithfulness.result import METRICS, Metric
from myosono.reading.overlay import SHRINKAGE_LABEL
from myosono.reporting.heat_map_panel import draw_panel
from myosono.reporting.pages import csv_text, json_text, page_environment, write_files
from myosono.reporting.statements import Banner, few_patients
from myosono.reporting.stress_report import signed

STEM = "heat_maps"
METRIC_TITLES: dict[Metric, str] = {
    "deletion": "Deletion ↓",
    "insertion": "Insertion into blur ↑",
    "insertion_grey": "Insertion into grey ↑",
    "road": "ROAD ↑",
}
DIGITS = 3
"""Decimals of the figures: what is 0 at these decides nothing."""
_SMALLER_IS_BETTER = ("deletion",)


def write_heat_maps(out_dir: str | Path, study: HeatMapStudy, examples: Sequence[Example]) -> Path:
    """Write ``heat_maps.{html,csv,json}``, curves and randomisation as CSV, ``examples.png``; return the page's path.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    panel = _png(study, examples)
    files: dict[str, str | bytes] = {
        f"{STEM}.html": render_heat_maps(study, panel),
        f"{STEM}.json": json_text(study.to_dict()),
        f"{STEM}.csv": csv_text(study.to_rows()),
        f"{STEM}_curves.csv": csv_text(study.to_curve_rows()),
        "examples.png": panel,
    }
    if study.similarities:
        files[f"{STEM}_randomisation.csv"] = csv_text(study.to_similarity_rows())
    write_files(out_dir, files)
    return Path(out_dir) / f"{STEM}.html"


def render_heat_maps(study: HeatMapStudy, panel: bytes) -> str:
    """The page as HTML text; ``panel`` is the picture of the examples, PNG."""
    environment = page_environment(minus=minus, spanned=spanned, signed=signed)
    return environment.get_template("heat_maps.html").render(
        study=study,
        banners=heat_map_banners(study),
        findings=findings(study),
        metrics=METRICS,
        titles=METRIC_TITLES,
        verdict=verdict,
        digits=DIGITS,
        curves=draw_curves(study),
        randomisation=draw_randomisation(study) if study.similarities else "",
        panel=base64.b64encode(panel).decode("ascii"),
        shrinkage_label=SHRINKAGE_LABEL,
    )


def minus(value: float | None, digits: int) -> str:
    """A number that may be negative, for print; no share, so that a 0 among its like is told as they are."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def spanned(estimate: Estimate, digits: int) -> str:
    """An interval whose ends may be negative, for print, or nothing.

    Examples
    --------
    >>> spanned(Estimate(0.0, -0.1, 0.2), 2)
    '−0.10 to 0.20'
    """
    if estimate.lo is None or estimate.hi is None:
        return ""
    return f"{minus(estimate.lo, digits)} to {minus(estimate.hi, digits)}"


def heat_map_banners(study: HeatMapStudy) -> list[Banner]:
    """Banners in order of gravity."""
    banners = []
    if study.leaks:
        text = "Test images show patients that the network was trained on; maps of new patients may be less faithful."
        banners.append(Banner("red", "Leaking split", text))
    if study.simulated:
        text = "Made by this package's simulation. Nothing here is evidence about patients."
        banners.append(Banner("amber", "Simulated images", text))
    return banners + doubts(study)


def doubts(study: HeatMapStudy) -> list[Banner]:
    """Those about what so many patients and such a network can show."""
    banners = []
    if study.chance is not None and near_chance(study.accuracy, study.chance, study.patients):
        text = (
            f"The network is right on {study.accuracy:.0%} of these images; guessing the most common class gives "
            f"{study.chance:.0%}, and {study.patients} patients cannot tell the two apart. A map of a network that has "
            "learned nothing explains nothing."
        )
        banners.append(Banner("amber", "Near chance", text))
    if study.patients < FEW_PATIENTS:
        banners.append(few_patients(f"Only {study.patients} test patients"))
    return banners


def near_chance(accuracy: float, chance: float, patients: int) -> bool:
    """Whether an accuracy lies within two standard errors above chance; images of a patient count once.

    Examples
    --------
    >>> near_chance(0.45, 0.25, 8), near_chance(0.84, 0.4, 21)
    (True, False)
    """
    return bool(accuracy <= chance + 2 * math.sqrt(chance * (1 - chance) / max(patients, 1)))


def findings(study: HeatMapStudy) -> list[str]:
    """What the figures say, in sentences; an interval that holds 0 decides nothing."""
    other = "random maps of the same grid"
    said = [
        _counted("The class map", other, _changes(study, "class_map", "random")),
        _counted("Grad-CAM of the stage before", other, _changes(study, "grad_cam_earlier", "random")),
        _counted("Grad-CAM of the stage before", "the class map", _changes(study, "grad_cam_earlier", "class_map")),
        _counted("The shrinkage map, no heat map of a class,", other, _changes(study, "shrinkage", "random")),
    ]
    return [*said, _after_randomisation(study)] if study.similarities else said


def verdict(metric: str, change: Estimate) -> str:
    """``better``, ``worse``, or ``undecided`` where the interval holds 0, is missing, or all is 0 as it is shown."""
    if change.value is None or change.lo is None or change.hi is None or change.lo <= 0 <= change.hi:
        return "undecided"
    value, lo, hi = (round(part, DIGITS) for part in (change.value, change.lo, change.hi))
    if value == 0 or lo == hi == 0:
        return "undecided"
    return "better" if (change.value < 0) == (metric in _SMALLER_IS_BETTER) else "worse"


def _changes(study: HeatMapStudy, method: str, other: Literal["random", "class_map"]) -> dict[Metric, Estimate]:
    rows = {metric: study.row(method, metric) for metric in METRICS}
    return {m: row.against_random if other == "random" else row.against_class_map for m, row in rows.items()}


def _counted(subject: str, other: str, changes: Mapping[Metric, Estimate]) -> str:
    found: dict[str, list[str]] = {}
    for metric, change in changes.items():
        found.setdefault(verdict(metric, change), []).append(METRIC_TITLES[metric].rstrip(" ↑↓").lower())
    parts = []
    if "better" in found:
        parts.append(f"better than {other} by {_listed(found['better'])}")
    if "worse" in found:
        parts.append(f"worse than {other} by {_listed(found['worse'])}")
    if "undecided" in found:
        parts.append(f"not told apart from {other} by {_listed(found['undecided'])}")
    return f"{subject} is {'; '.join(parts)}."


def _after_randomisation(study: HeatMapStudy) -> str:
    values = {}
    for method in ("class_map", "shrinkage"):
        rows = list(study.select(method=method, way="cascading", measure="rank"))
        values[method] = rows[-1].estimate
    return (
        "With all weights drawn anew, the class map's rank correlation with the trained one is "
        f"{_plain(values['class_map'])}; the shrinkage map's is {_plain(values['shrinkage'])}. "
        "What stays alike shows the image or the architecture, not what was learned."
    )


def _plain(estimate: Estimate) -> str:
    return f"{minus(estimate.value, 2)} ({spanned(estimate, 2)})"


def _listed(names: list[str]) -> str:
    names = [name.replace("road", "ROAD") for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _png(study: HeatMapStudy, examples: Sequence[Example]) -> bytes:
    buffer = io.BytesIO()
    draw_panel(study, examples).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
