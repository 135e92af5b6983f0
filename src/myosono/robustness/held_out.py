"""Which images of a cohort a model has not learned from, as far as the files tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from myosono.cohort import ROLES_KEY, Cohort, fold_sha256
from myosono.errors import DAMAGED_TABLE, DAMAGED_TEXT, RunError, UsageError

Standing = Literal["held_out", "other_cohort", "unknown", "unproven", "leaking", "calibrated"]
"""Known test patients; another cohort; the training cohort with patients unknown; test patients of a run that may be
another one's; a split that leaks; the patients that it was calibrated on."""


@dataclass(frozen=True)
class Exposure:
    """What is known of one model and this cohort's patients.

    Attributes
    ----------
    standing
        See `Standing`; ``unknown``, ``unproven`` and ``leaking`` invalidate the figures, ``calibrated`` those of
        calibration.
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
        Run folders; the one whose fold trained, validated and tested the model's images is used. A file that does not
        name these (an older one) gets the first of its cohort, network and kind of split, and the doubt is stated.

    Raises
    ------
    RunError
        If a folder is no run or is damaged.
    """
    name, trained = metadata["name"], metadata.get("cohort", {})
    calibrated = (metadata.get("calibration") or {}).get("cohort") or {}
    if calibrated.get("content_hash") == cohort.info.content_hash != trained.get("content_hash"):
        return Exposure(
            "calibrated",
            f"{name} was calibrated on this cohort: its calibration error is that of the patients it was fitted to",
        )
    if trained.get("content_hash") != cohort.info.content_hash:
        return Exposure(
            "other_cohort",
            f"{name} was trained on {trained.get('name', 'a cohort without a name')!r}, not on this cohort; the files "
            "cannot tell whether they share patients",
        )
    for folder in runs:
        images = _test_images(folder, metadata)
        if images is not None:
            return _tested_by_run(metadata, folder, images)
    missing = (
        "none of the runs given is the one that it was exported from"
        if runs
        else "give its run folder with --run to leave them out"
    )
    return Exposure(
        "unknown",
        f"{name} was trained on this cohort, and its file does not name the patients: training patients are among "
        f"those used ({missing})",
    )


def _tested_by_run(metadata: Mapping[str, Any], folder: Path, images: frozenset[str]) -> Exposure:
    name, split = metadata["name"], metadata["split"]
    if split["leaks"]:
        text = f"{name} was trained on a leaking split: test images show patients that it has seen"
        return Exposure("leaking", text, images)
    if ROLES_KEY in split:
        return Exposure("held_out", f"only the test patients of fold {split['fold']} of {name} are used", images)
    return Exposure(
        "unproven",
        f"the test patients of fold {split['fold']} of the run {folder} are used, but it is unknown whether "
        f"{name} was exported from it: its file, of an older version, does not say whom it was trained on, and a run "
        "of another seed tests other patients (export it again from its run)",
        images,
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
    rows = table[table["fold"] == split["fold"]]
    # A run of another seed or number of folds has the same cohort, network and kind of split, and other patients.
    if ROLES_KEY in split and split[ROLES_KEY] != fold_sha256(table, split["fold"]):
        return None
    return frozenset(str(name) for name in rows.loc[rows["role"] == "test", "image_id"])


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
