"""Classes that can be told without looking at a picture: by file size, order of names, device or image size.

A shallow tree, cross-validated by patient, tries each. If it beats the same tree on labels that were shuffled between
patients, a network may learn the same shortcut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.cohort.audit.result import Shortcut
from myosono.cohort.grouping import main_target

SHUFFLES = 20
_DEPTH = 4
_DIGITS = re.compile(r"(\d+)")


def measure_shortcuts(
    table: pd.DataFrame, file_bytes: Sequence[int] | None = None, *, seed: int = 0
) -> tuple[list[Shortcut], dict[str, str]]:
    """Try each feature that varies.

    Parameters
    ----------
    table
        A cohort table.
    file_bytes
        Size of each image file in bytes, in the table's order; ``None`` without files.

    Returns
    -------
    (shortcuts, skipped)
        ``skipped`` says for which feature there was nothing to try, and why.
    """
    folds = _folds(table)
    if folds < 2:
        return [], {"shortcuts": "a class has fewer than two patients"}
    features, skipped = _features(table, file_bytes)
    found = [_try(name, values, table, folds, seed) for name, values in features.items()]
    return found, skipped


def _features(
    table: pd.DataFrame, file_bytes: Sequence[int] | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    candidates: dict[str, Any] = {
        "name order": _name_order(table)[:, None],
        "device": pd.get_dummies(table["device"]).to_numpy(dtype=np.float64),
        "image size": table[["width", "height"]].to_numpy(dtype=np.float64),
    }
    skipped = {}
    if file_bytes is None:
        skipped["file size"] = "there are no image files"
    else:
        candidates["file size"] = np.asarray(file_bytes, dtype=np.float64)[:, None]
    kept = {}
    for name, values in candidates.items():
        if len(np.unique(values, axis=0)) > 1:
            kept[name] = values
        else:
            skipped[name] = "it is the same for all images"
    return kept, skipped


def _name_order(table: pd.DataFrame) -> NDArray[np.float64]:
    """Rank of each image among the names; equal names share one."""
    names = [_natural(name) for name in _without_class(table["image_id"].tolist(), table["label"].tolist())]
    ranks = {name: rank for rank, name in enumerate(sorted(set(names)))}
    return np.array([ranks[name] for name in names], dtype=np.float64)


def _without_class(names: list[str], labels: list[str]) -> list[str]:
    """Names of class folders without the folder, nor the class where each file repeats it (``benign/benign_1``).

    How a set is filed is no order in which its images were taken.
    """
    pairs = list(zip(names, labels, strict=True))
    below = [name.removeprefix(f"{label}/") for name, label in pairs]
    filed = all(name.startswith(f"{label}/") for name, label in pairs)
    if filed and all(name.startswith(label) for name, label in zip(below, labels, strict=True)):
        return [name.removeprefix(label) for name, label in zip(below, labels, strict=True)]
    return below


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    # Not isdigit: that also takes a superscript, which int does not.
    parts = _DIGITS.split(name)
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)


def _folds(table: pd.DataFrame) -> int:
    main = main_target(table["patient_id"], table["label"])
    counts = main.value_counts().reindex(sorted(set(table["label"])), fill_value=0)
    return min(5, int(counts.min()))


def _try(name: str, values: NDArray[np.float64], table: pd.DataFrame, folds: int, seed: int) -> Shortcut:
    patients = table["patient_id"].to_numpy()
    classes, labels = np.unique(table["label"].to_numpy().astype(str), return_inverse=True)
    reached = _score(values, labels, patients, folds, seed)
    rng = np.random.default_rng(seed)
    shuffled = [_score(values, _shuffle(labels, patients, rng), patients, folds, seed) for _ in range(SHUFFLES)]
    return Shortcut(name, reached, 1 / len(classes), float(np.percentile(shuffled, 95)))


def _shuffle(labels: NDArray[Any], patients: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    # Whole patients swap labels: images of one patient stay alike, as they are in truth.
    _, first, member = np.unique(patients, return_index=True, return_inverse=True)
    mixed: NDArray[Any] = rng.permutation(labels[first])[member]
    return mixed


def _score(values: NDArray[np.float64], labels: NDArray[Any], patients: NDArray[Any], folds: int, seed: int) -> float:
    from sklearn.metrics import recall_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.tree import DecisionTreeClassifier

    predicted = np.empty_like(labels)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(values, labels, groups=patients):
        tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=5, class_weight="balanced", random_state=seed)
        predicted[test] = tree.fit(values[train], labels[train]).predict(values[test])
    return float(recall_score(labels, predicted, average="macro", zero_division=0))
