"""Everything that a document may quote, read once: the run folder, and a model file and a cohort if they are given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from myosono.cohort import ROLES_KEY, Cohort, fold_sha256
from myosono.errors import DAMAGED_TABLE, DAMAGED_TEXT, RunError, UsageError
from myosono.evaluation import Evaluation
from myosono.reading.artefact import Artefact
from myosono.reporting.facts import RunFacts, read_run_facts

ROLES = ("train", "validation", "test")


@dataclass(frozen=True)
class Partition:
    """Images of one fold in one role, and patients by class; None where an unfinished run does not tell."""

    fold: str
    role: str
    images: int
    patients: Mapping[str, int] | None


@dataclass(frozen=True)
class ModelFile:
    """An exported model: its name, SHA-256, size in bytes and metadata."""

    name: str
    sha256: str
    size: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class DocumentSource:
    """The facts of one run.

    Attributes
    ----------
    name
        The folder's name.
    facts
        ``run.json``, hashes and the rest that the report shows too.
    evaluation
        ``metrics.json``.
    recipe
        ``recipe.yaml``.
    folds
        ``fold_K/fold.json``, in order.
    partitions
        Counts by fold and role.
    predictions
        The predictions table: muscles, sides and devices of the images.
    model
        The exported model, if it was given.
    cohort
        The cohort table, if it was given.
    """

    name: str
    facts: RunFacts
    evaluation: Evaluation
    recipe: Mapping[str, Any]
    folds: tuple[Mapping[str, Any], ...]
    partitions: tuple[Partition, ...]
    predictions: pd.DataFrame
    model: ModelFile | None = None
    cohort: pd.DataFrame | None = None

    @property
    def simulated(self) -> bool:
        """Whether the cohort is simulated."""
        return bool(self.facts.part("cohort").get("simulated"))


def read_document_source(
    run: str | Path, *, model: str | Path | None = None, cohort: str | Path | None = None
) -> DocumentSource:
    """Read a run folder and what belongs to it.

    Parameters
    ----------
    run
        A run folder with ``run.json``, ``recipe.yaml``, ``metrics.json``, ``splits.parquet``, ``predictions.parquet``.
    model
        A model file that was exported from this run.
    cohort
        The run's cohort, for the patients' characteristics.

    Raises
    ------
    RunError
        If a file of the run is missing or damaged.
    UsageError
        If the model or the cohort belongs to another run.
    ArtefactError, CohortError
        If they cannot be opened.
    """
    folder = Path(run)
    facts = read_run_facts(folder)
    predictions = _table(folder / "predictions.parquet")
    evaluation = read_metrics(folder)
    content_hash = facts.part("cohort").get("content_hash")
    splits = _table(folder / "splits.parquet")
    return DocumentSource(
        name=folder.resolve().name,
        facts=facts,
        evaluation=evaluation,
        recipe=_recipe(facts, folder),
        folds=tuple(_json(path) for path in sorted(folder.glob("fold_*/fold.json"))),
        partitions=_partitions(splits, predictions, evaluation.classes),
        predictions=predictions,
        model=None if model is None else _model(Path(model), content_hash, splits),
        cohort=None if cohort is None else _cohort(Path(cohort), content_hash),
    )


def read_metrics(folder: Path) -> Evaluation:
    """``metrics.json`` of a run folder.

    Raises
    ------
    RunError
        If it is missing or damaged.
    """
    return Evaluation.from_dict(_json(folder / "metrics.json"))


def read_model(path: Path) -> ModelFile:
    """The metadata of a model file.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or no model of myosono.
    """
    opened = Artefact(path, threads=1)
    return ModelFile(path.name, opened.sha256, path.stat().st_size, opened.metadata)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RunError("is missing", path=path, remedy="Finish the run with: myosono train; or myosono evaluate RUN")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except DAMAGED_TEXT as error:
        raise RunError(f"is damaged ({error})", path=path) from error
    if not isinstance(found, dict):
        raise RunError("is damaged (not a JSON object)", path=path)
    return found


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise RunError("is missing", path=path, remedy="Finish the run with the same myosono train command")
    try:
        return pd.read_parquet(path)
    except DAMAGED_TABLE as error:
        raise RunError(f"is damaged ({error})", path=path) from error


def _recipe(facts: RunFacts, folder: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(facts.recipe or "")
    except yaml.YAMLError as error:
        raise RunError(f"is damaged ({error})", path=folder / "recipe.yaml") from error
    if not isinstance(found, dict):
        raise RunError("is missing or holds no settings", path=folder / "recipe.yaml")
    return found


def _partitions(splits: pd.DataFrame, predictions: pd.DataFrame, classes: tuple[str, ...]) -> tuple[Partition, ...]:
    images = predictions.drop_duplicates("image_id")[["image_id", "patient_id", "target"]]
    rows = splits.merge(images, on="image_id", how="left")
    found = []
    for fold in sorted(rows["fold"].unique()):
        for role in ROLES:
            part = rows[(rows["fold"] == fold) & (rows["role"] == role)]
            people = part.groupby("target")["patient_id"].nunique()
            counts = {name: int(people.get(name, 0)) for name in classes}
            found.append(Partition(str(fold), role, len(part), counts if part["patient_id"].notna().all() else None))
    return tuple(found)


def _model(path: Path, content_hash: Any, splits: pd.DataFrame) -> ModelFile:
    found = read_model(path)
    if (found.metadata.get("cohort") or {}).get("content_hash") != content_hash:
        raise UsageError("was not exported from this run: its cohort is another", path=path)
    split = found.metadata["split"]
    stated = split.get(ROLES_KEY)  # older files do not say whom they were trained and tested on
    if stated is not None and stated != fold_sha256(splits, split["fold"]):
        raise UsageError("was not exported from this run: it was trained and tested on other patients", path=path)
    return found


def _cohort(path: Path, content_hash: Any) -> pd.DataFrame:
    opened = Cohort.open(path)
    if opened.info.content_hash != content_hash:
        raise UsageError("is not the cohort that the run was trained on", path=path)
    return opened.table
