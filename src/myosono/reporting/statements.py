"""The sentences of a report: what was measured, and what must be known before it is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from myosono.evaluation import Estimate, Evaluation
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.evaluation.wording import end_text, share_text
from myosono.reporting.facts import RunFacts

_SPLITS = {"patient": "patient-level", "image": "image-level", "published": "published"}


@dataclass(frozen=True)
class Banner:
    """A statement above the figures; ``red`` invalidates them, ``amber`` limits them."""

    tone: Literal["red", "amber"]
    title: str
    text: str


def few_patients(said: str) -> Banner:
    """That differences between so few patients may be chance; ``said`` tells how few."""
    text = (
        f"{said}: intervals from fewer than {FEW_PATIENTS} patients are too narrow, and one that leaves 0 out may be "
        "chance."
    )
    return Banner("amber", "Few patients", text)


def number(value: float | None, digits: int = 2) -> str:
    """A number for print, or a dash; 1.00 and 0.00 are said only of what is 1 or 0.

    Examples
    --------
    >>> number(0.8125), number(299 / 300), number(None)
    ('0.81', '0.997', '–')
    """
    return "–" if value is None else share_text(value, digits)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """The 95 % interval for print, or nothing.

    Examples
    --------
    >>> interval(Estimate(0.8, 0.7123, 0.9))
    '0.71–0.90'
    """
    if estimate.lo is None or estimate.hi is None:
        return ""
    return f"{end_text(estimate.lo, digits)}–{end_text(estimate.hi, digits)}"


def split_kind(evaluation: Evaluation, facts: RunFacts) -> str | None:
    """``patient``, ``image``, ``published`` or None if unknown."""
    kind = _split(evaluation, facts).get("kind")
    return None if kind is None else str(kind)


def _split(evaluation: Evaluation, facts: RunFacts) -> Mapping[str, Any]:
    return facts.part("split") or evaluation.split or {}


def headline(evaluation: Evaluation, facts: RunFacts) -> str:
    """What was measured, in one sentence."""
    found, counts = evaluation.levels["patient"].accuracy, evaluation.counts
    ci = f" (95 % CI {interval(found)})" if interval(found) else ""
    adjective = _SPLITS.get(split_kind(evaluation, facts) or "", "")
    folds = f"{counts.folds} {adjective} fold{'s' if counts.folds != 1 else ''}".replace("  ", " ")
    people = f"{counts.patients} patient{'s' if counts.patients != 1 else ''}"
    return f"Patient-level accuracy {number(found.value)}{ci} over {people}, {folds}"


def banners(evaluation: Evaluation, facts: RunFacts) -> list[Banner]:
    """Banners in order of gravity."""
    found = [_leak(evaluation, facts), _simulated(facts), _unfinished(facts)]
    return [banner for banner in found if banner is not None]


def _leak(evaluation: Evaluation, facts: RunFacts) -> Banner | None:
    split, kind, shared = _split(evaluation, facts), split_kind(evaluation, facts), evaluation.shared
    if split.get("leaks"):
        title = {"image": "Image-level split", "published": "Published folds, split by image"}.get(
            kind or "", "Split leaks"
        )
        share = _share_in_training(split.get("overlap"))
        whose = "Test images" if share is None else f"{100 * share:.0f} % of test images"
        text = (
            f"{whose} belong to patients also seen in training; these figures overestimate what the network does on "
            "patients it has never seen. Use them to reproduce published figures, not to judge the network."
        )
        return Banner("red", title, text)
    if shared.leaks:
        text = (
            f"{100 * shared.share_of_test_images:.0f} % of test images belong to patients that the table itself "
            "shows on both sides of a split; these figures overestimate what the network does on patients it has never "
            "seen."
        )
        return Banner("red", "Split not by patient", text)
    if split.get("leaks") is None:
        text = (
            "The table does not tell which images were trained on. The figures hold for new patients only if no "
            "tested patient was among the training patients."
        )
        return Banner("amber", "Unknown split", text)
    return None


def _share_in_training(overlap: Any) -> float | None:
    folds = overlap if isinstance(overlap, Sequence) and not isinstance(overlap, str) else [overlap]
    total = weight = 0.0
    for fold in folds:
        if isinstance(fold, Mapping) and isinstance(fold.get("patient_in_train"), int | float):
            images = float(fold.get("test") or 1)
            total, weight = total + images * float(fold["patient_in_train"]), weight + images
    return total / weight if weight else None


def _simulated(facts: RunFacts) -> Banner | None:
    if not facts.part("cohort").get("simulated"):
        return None
    return Banner("amber", "Simulated images", "For testing and demonstration, not evidence about patients.")


def _unfinished(facts: RunFacts) -> Banner | None:
    status = str(facts.run.get("status", "finished"))
    if status in ("finished", "complete", "completed", "done"):
        return None
    return Banner(
        "amber", "Run not finished", f"Its status is “{status}”: the figures are of the folds that are there."
    )
