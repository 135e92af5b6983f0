"""Which images of a cohort a model has not learned from, as far as the files tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from myosono.cohort import Cohort
from myosono.errors import DAMAGED_TABLE, DAMAGED_TEXT, RunError, UsageError

Standing = Literal["held_out", "other_cohort", "unknown", "leaking"]
"""Known test patients; another cohort; the training cohort with patients unknown; a split that leaks."""


@dataclass(frozen=True)
class Exposure:
    """What is known of one model and this cohort's patients.

    Attributes
    ----------
    standing
        See `Standing`; ``unknown`` and ``leaking`` invalidate the figures.
    statement
        The same in a sentence.
    images
        Images that may be used, or None for all.
    """

    standing: Standing
    statement: str
    images: frozenset[str] | None = None


def exposure(metadata: Mapping[str, Any], cohort: Cohort, runs: Sequence[Path] = ()) -> Exposure:
    """Compare what a model file says of its training with a cohort, and find its test images in a run folder.

    Parameters
    ----------
    metadata
        The model file's.
    runs
        Run folders; the one of this model's cohort, network and split is used.

    Raises
    ------
    RunError
        If a folder is no run or is damaged.
    """
    trained, split = metadata.get("cohort", {}), metadata["split"]
    if trained.get("content_hash") != cohort.info.content_hash:
        name = trained.get("name", "a cohort without a name")
        return Exposure(
            "other_cohort",
            f"{metadata['name']} was trained on {name!r}, not on this cohort; the files cannot tell whether they share "
            "patients",
        )
    for folder in runs:
        images = _test_images(folder, metadata)
        if images is not None and not split["leaks"]:
            return Exposure(
                "held_out", f"only the test patients of fold {split['fold']} of {metadata['name']} are used", images
            )
        if images is not None:
            text = f"{metadata['name']} was trained on a leaking split: test images show patients that it has seen"
            return Exposure("leaking", text, images)
    return Exposure(
        "unknown",
        f"{metadata['name']} was trained on this cohort, and its file does not name the patients: training patients "
        "are among those used (give its run folder with --run to leave them out)",
    )


def held_out_ids(cohort: Cohort, exposures: Sequence[Exposure]) -> list[str]:
    """Images that no model's training is known to hold, in the cohort's order.

    Raises
    ------
    UsageError
        If none is left.
    """
    kept = [str(name) for name in cohort.table["image_id"]]
    for found in exposures:
        if found.images is not None:
            kept = [name for name in kept if name in found.images]
    if not kept:
        raise UsageError(
            "no image is held out for all of the models", remedy="Compare models of the same fold of the same split"
        )
    return kept


def _test_images(folder: Path, metadata: Mapping[str, Any]) -> frozenset[str] | None:
    """Test images of the model's fold, or None if the run is another model's."""
    facts = _run_facts(folder)
    split = metadata["split"]
    try:
        described = (facts["cohort"]["content_hash"], facts["model"]["name"], facts["split"]["kind"])
    except (KeyError, TypeError) as error:
        raise RunError(f"run.json is damaged: {error!r}", path=folder) from error
    if described != (metadata["cohort"]["content_hash"], metadata.get("network"), split["kind"]):
        return None
    source = folder / "splits.parquet"
    try:
        table = pd.read_parquet(source, columns=["image_id", "fold", "role"])
    except DAMAGED_TABLE as error:
        raise RunError(f"the split cannot be read: {error}", path=source) from error
    rows = table[(table["fold"] == split["fold"]) & (table["role"] == "test")]
    return frozenset(str(name) for name in rows["image_id"])


def _run_facts(folder: Path) -> dict[str, Any]:
    manifest = folder / "run.json"
    if not manifest.is_file():
        raise RunError("is not a run folder: run.json is missing", path=folder, remedy="Make one with: myosono train")
    try:
        facts = json.loads(manifest.read_text(encoding="utf-8"))
    except DAMAGED_TEXT as error:
        raise RunError(f"run.json is damaged: {error}", path=manifest) from error
    if not isinstance(facts, dict):
        raise RunError("run.json is damaged: no table of names and values", path=manifest)
    return facts
