"""Fit one fold with a random forest on engineered features; the seed decides every tree."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.progress import Progress, TaskID
from sklearn.ensemble import RandomForestClassifier

from myosono.errors import ModelError
from myosono.networks.preprocess import GREY_MEAN, GREY_STD
from myosono.training.engineered.features import FEATURES, VERSION, image_features
from myosono.training.fold_task import FoldTask, predictions_table

_TREES_A_STEP = 25
_CHUNK = 64


class ForestOptions(BaseModel):
    """``model_options`` of ``rf_engineered``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trees: int = Field(500, ge=1, le=10_000)
    min_samples_leaf: int = Field(2, ge=1)
    by_muscle: bool = Field(True, description="tell the forest which muscle an image shows")


def fit_forest(task: FoldTask, bar: Progress) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit on the training rows and predict the held-out ones.

    Writes ``importances.csv`` (mean decrease in impurity of each feature) into the fold's folder.

    Returns
    -------
    DataFrame
        Predictions table, roles ``validation`` and ``test``.
    dict
        Numbers of features and trees.

    Raises
    ------
    ModelError
        If an option does not exist or is out of range, or ImageNet weights are asked for.
    """
    options = _options(task)
    step = bar.add_task(f"{task.title}, features", total=None)
    texture = kept_features(task.inputs, _kept_at(task), bar, step)
    table = pd.DataFrame(texture, columns=list(FEATURES))
    if options.by_muscle:
        table = table.join(pd.get_dummies(task.rows["muscle"].reset_index(drop=True), prefix="muscle", dtype=float))
    train = task.indices("train")
    forest = _grow(table.iloc[train].to_numpy(), task.targets(train), task, options, bar)
    importances = pd.DataFrame({"feature": table.columns, "importance": forest.feature_importances_})
    importances.sort_values("importance", ascending=False).to_csv(task.folder / "importances.csv", index=False)
    held_out = task.held_out
    # A class that no training row has keeps probability 0.
    probabilities = np.zeros((len(held_out), len(task.classes)))
    probabilities[:, forest.classes_] = forest.predict_proba(table.iloc[held_out].to_numpy())
    facts = {"features": table.shape[1], "trees": options.trees, "min_samples_leaf": options.min_samples_leaf}
    return predictions_table(task, held_out, probabilities), facts


def kept_features(inputs: NDArray[np.float32], folder: Path, bar: Progress, step: TaskID) -> NDArray[np.float64]:
    """Features of all inputs, ``(images, features)``, computed once for all folds.

    They are kept under a hash of the pixels, so that they can be mistaken for no others.

    Parameters
    ----------
    inputs
        Network inputs, ``(images, 1, size, size)``.
    folder
        Where to keep them.
    bar, step
        Progress display and its task.
    """
    path = folder / f"engineered_{_digest(inputs)}.npy"
    bar.update(step, total=len(inputs))
    if path.exists():
        kept: NDArray[np.float64] = np.load(path)
        bar.update(step, completed=len(inputs))
        return kept
    found = np.empty((len(inputs), len(FEATURES)))
    for row, standardised in enumerate(inputs):
        found[row] = image_features(grey_levels(standardised[0]))
        bar.advance(step)
    partial = path.with_suffix(f".{os.getpid()}.partial.npy")  # folds may run in several processes
    np.save(partial, found)
    partial.replace(path)
    return found


def grey_levels(standardised: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey levels 0 to 255 from the network's standardised input."""
    levels: NDArray[np.uint8] = np.clip(np.rint(standardised * GREY_STD + GREY_MEAN), 0, 255).astype(np.uint8)
    return levels


def _options(task: FoldTask) -> ForestOptions:
    if task.recipe.pretrained:
        raise ModelError(f"{task.recipe.model} has no pretrained weights", remedy="Leave out pretrained")
    try:
        return ForestOptions.model_validate(task.recipe.model_options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"{task.recipe.model}: option {name!r}: {first['msg']}",
            remedy=f"Options are: {', '.join(ForestOptions.model_fields)}",
        ) from error


def _grow(
    features: NDArray[np.float64], targets: NDArray[np.intp], task: FoldTask, options: ForestOptions, bar: Progress
) -> RandomForestClassifier:
    """Grow the forest a few trees at a time, so that progress shows."""
    step = bar.add_task(f"{task.title}, trees", total=options.trees)
    forest = RandomForestClassifier(
        0,
        min_samples_leaf=options.min_samples_leaf,
        class_weight=_balanced(targets) if task.recipe.class_weighting else None,
        random_state=task.recipe.seed * 1000 + task.fold,
        warm_start=True,
    )
    for grown in range(_TREES_A_STEP, options.trees + _TREES_A_STEP, _TREES_A_STEP):
        forest.set_params(n_estimators=min(grown, options.trees))
        forest.fit(features, targets)
        bar.update(step, completed=forest.n_estimators)
    return forest


def _balanced(targets: NDArray[np.intp]) -> dict[int, float]:
    """Inverse class frequency; a name such as ``"balanced"`` does not go with growing in steps."""
    classes, counts = np.unique(targets, return_counts=True)
    return {int(label): len(targets) / (len(classes) * count) for label, count in zip(classes, counts, strict=True)}


def _kept_at(task: FoldTask) -> Path:
    """Beside the prepared inputs where they are a file, since all folds share them."""
    source = getattr(task.inputs, "filename", None)
    return task.folder if source is None else Path(source).parent


def _digest(inputs: NDArray[np.float32]) -> str:
    found = hashlib.blake2b(f"{VERSION} {inputs.shape}".encode(), digest_size=8)
    for start in range(0, len(inputs), _CHUNK):
        found.update(inputs[start : start + _CHUNK].tobytes())
    return found.hexdigest()
