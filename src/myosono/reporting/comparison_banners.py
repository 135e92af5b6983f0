"""What must be known before a comparison is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from myosono.evaluation.comparison import UNKNOWN_SPLIT, Comparison, Condition, ModelScore
from myosono.evaluation.intervals import FEW_PATIENTS
from myosono.reporting.statements import Banner, few_patients


def comparison_banners(found: Comparison, facts: Mapping[str, Any]) -> list[Banner]:
    """Banners in order of gravity.

    Parameters
    ----------
    facts
        ``simulated`` and ``failed`` are looked at.
    """
    about_split = [_leak(found), _unknown_split(found)]
    about_run = [_simulated(facts), _unfinished(found, facts)]
    return [banner for banner in (*about_split, *about_run) if banner is not None] + patients_banners(found)


def patients_banners(found: Comparison) -> list[Banner]:
    """Those about who was compared: other patients for other models, or few of them."""
    return [banner for banner in (_other_patients(found), _few_patients(found)) if banner is not None]


def _leak(found: Comparison) -> Banner | None:
    leaking = [condition.label() for condition in found.conditions if condition.leaks]
    if not leaking:
        return None
    text = (
        f"In {'; '.join(leaking)} (red below), images of one patient are trained on and tested. These figures tell "
        "how well a network knows a patient again, not how well it does on a new one."
    )
    return Banner("red", "A split that leaks", text)


def _unknown_split(found: Comparison) -> Banner | None:
    if not any(condition.split == UNKNOWN_SPLIT for condition in found.conditions):
        return None
    text = (
        "The tables cannot tell what the tools were trained on. The figures hold for new patients only if no "
        "tested patient was among the training patients of any of them."
    )
    return Banner("amber", "Unknown split", text)


def _simulated(facts: Mapping[str, Any]) -> Banner | None:
    text = "Made by this package's simulation, for testing and demonstration; no evidence about patients."
    return Banner("amber", "Simulated images", text) if facts["simulated"] else None


def _unfinished(found: Comparison, facts: Mapping[str, Any]) -> Banner | None:
    if not facts["failed"] and all(score.complete for score in found.scores):
        return None
    text = "Some folds are missing below: what a model lacks is left out of its differences, for the flagship too."
    return Banner("amber", "Not finished", text)


def _other_patients(found: Comparison) -> Banner | None:
    """A tool that answered for the easy patients alone would else stand first."""
    several = len(found.conditions) > 1
    parts = [
        (f"in {condition.label()}: " if several else "") + "; ".join(_answered(found, score) for score in scores)
        for condition in found.conditions
        if not found.same_units(condition)
        for scores in [[score for score in found.scores if score.condition == condition]]
    ]
    if not parts:
        return None
    text = (
        f"The models were scored on different patients or images: {'. '.join(parts)}. Such scores cannot be ranked: a "
        "model that leaves out what is hard looks better. Differences rest on what both were tested on."
    )
    return Banner("amber", "Not the same patients", text)


def _answered(found: Comparison, score: ModelScore) -> str:
    shared = found.shared_patients(score)
    both = "" if shared is None or shared == score.patients else f", {shared} of these patients shared"
    name = score.contender.label(recipe=found.several_recipes)
    return f"{name} on {score.patients} patients and {score.images} images{both}"


def _few_patients(found: Comparison) -> Banner | None:
    few = {name: count for name, count in _fewest(found).items() if count < FEW_PATIENTS}
    if not few:
        return None
    return few_patients(f"Compared are {'; '.join(f'{count} in {name}' for name, count in few.items())}")


def _fewest(found: Comparison) -> dict[str, int]:
    """How many patients the smallest comparison of each condition has."""

    def fewest(condition: Condition) -> int:
        pairs = [one.patients for one in found.paired if one.conditions == (condition,)]
        return min(pairs or [score.patients for score in found.scores if score.condition == condition])

    return {condition.label(): fewest(condition) for condition in found.conditions}
