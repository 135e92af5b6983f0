"""Splits: which image trains, validates or tests in which fold.

``patient`` is the default and the only kind whose test score speaks for a new patient. ``published`` reproduces a paper
from its fold files, ``image`` is there to show what leakage is worth. Whether a split leaks is computed from its table,
never declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from myosono.cohort.grouping import MAX_SEED, carve_validation, tested_by_image, tested_by_patient
from myosono.cohort.overlap import ROLES, FoldOverlap, leaks, split_overlap
from myosono.errors import SplitError, UsageError
from myosono.hashing import sha256_lines

SplitKind = Literal["patient", "published", "image"]
SPLIT_KINDS: tuple[str, ...] = get_args(SplitKind)


@dataclass(frozen=True)
class Split:
    """A split and what its roles share.

    Attributes
    ----------
    table
        Columns ``image_id`` (text), ``fold`` (int64, from 0), ``role`` (``train``, ``validation``, ``test``).
    kind
        ``patient``, ``published`` or ``image``; ``file`` for one read from a file.
    overlap
        One :class:`~myosono.cohort.overlap.FoldOverlap` a fold.
    """

    table: pd.DataFrame
    kind: str
    overlap: tuple[FoldOverlap, ...]

    @classmethod
    def from_table(cls, table: pd.DataFrame, cohort: pd.DataFrame, kind: str) -> Split:
        """Check a split table against its cohort table and measure the overlap.

        Raises
        ------
        SplitError
            Missing columns, no rows, a fold that is no whole number, an unknown role, an image that the cohort lacks,
            or an image twice in one fold.
        """
        checked = _check_table(table, cohort)
        return cls(checked, kind, split_overlap(checked, cohort))

    @cached_property
    def leaks(self) -> bool:
        """Whether any patient occurs in two roles of one fold."""
        return leaks(self.overlap)

    @property
    def folds(self) -> tuple[int, ...]:
        """Fold numbers, ascending."""
        return tuple(item.fold for item in self.overlap)

    def ids(self, fold: int, role: str) -> list[str]:
        """Image ids of one role of one fold, in the cohort's order."""
        rows = self.table[(self.table["fold"] == fold) & (self.table["role"] == role)]
        return [str(image_id) for image_id in rows["image_id"]]

    def to_dict(self) -> dict[str, Any]:
        """Kind, leak and overlap for JSON (not the table)."""
        return {"kind": self.kind, "leaks": self.leaks, "overlap": [fold.to_dict() for fold in self.overlap]}


ROLES_KEY = "roles_sha256"
"""Of a model file's ``split``: `fold_sha256` of the fold that it was exported from; absent in older files."""


def roles_sha256(image_ids: Iterable[str], roles: Iterable[str]) -> str:
    """Hash of who trains, validates and tests in one fold, whatever the order: by it a model file knows its own run.

    Parameters
    ----------
    image_ids, roles
        Of one fold, side by side.
    """
    return sha256_lines(sorted(f"{image_id}\t{role}" for image_id, role in zip(image_ids, roles, strict=True)))


def fold_sha256(table: pd.DataFrame, fold: int) -> str:
    """`roles_sha256` of one fold of a split's table, such as a run's ``splits.parquet``."""
    rows = table[table["fold"] == fold]
    return roles_sha256(rows["image_id"], rows["role"])


def make_split(
    table: pd.DataFrame,
    kind: str = "patient",
    *,
    folds: int = 5,
    seed: int = 0,
    validation_fraction: float = 0.2,
    targets: pd.Series[Any] | None = None,
    fold_files: str | Path | None = None,
) -> Split:
    """Split a cohort table into folds of train, validation and test.

    Parameters
    ----------
    table
        A cohort table.
    kind
        ``patient``: StratifiedGroupKFold on patients; validation patients are carved from the training patients,
        stratified by target. ``published``: the roles of the fold files, validation included. ``image``: stratified by
        image; patients occur on both sides, so the score is too good.
    folds, seed
        Number of folds and seed, for ``patient`` and ``image``; the same seed gives the same table.
    validation_fraction
        Share of a fold's training patients (or images, for ``image``) that validate, in (0, 1).
    targets
        Target per image on the index of ``table``, as of :meth:`Task.targets`; NaN leaves the image out. Default: the
        label.
    fold_files
        Folder of published fold files, for ``published``.

    Raises
    ------
    UsageError
        An unknown kind, fewer than two folds, a seed or fraction out of range, or ``published`` without ``fold_files``.
    SplitError
        A class has too few patients for the folds, or the fold files do not belong to this cohort.
    """
    _check_request(kind, folds, seed, validation_fraction, fold_files)
    goals = table["label"] if targets is None else targets.reindex(table.index)
    kept = goals.notna()
    rows, goals = table.loc[kept], goals.loc[kept].astype(str)
    if rows.empty:
        raise SplitError("no image has a target in this task")
    if kind == "published":
        from myosono.cohort.published import published_table

        return Split.from_table(published_table(Path(str(fold_files)), rows, goals), table, kind)
    if kind == "patient":
        parts = _patient_roles(rows, goals, folds, seed, validation_fraction)
    else:
        parts = _image_roles(goals, folds, seed, validation_fraction)
    pieces = [
        pd.DataFrame({"image_id": rows["image_id"].to_numpy(), "fold": fold, "role": roles})
        for fold, roles in enumerate(parts)
    ]
    return Split.from_table(pd.concat(pieces, ignore_index=True), table, kind)


def _check_request(kind: str, folds: int, seed: int, fraction: float, fold_files: str | Path | None) -> None:
    if kind not in SPLIT_KINDS:
        raise UsageError(f"unknown kind of split {kind!r}", remedy=f"Known kinds: {', '.join(SPLIT_KINDS)}")
    if kind == "published" and fold_files is None:
        raise UsageError("a published split needs the published fold files", remedy="Name the folder that holds them")
    if folds < 2:
        raise UsageError(f"a split needs at least 2 folds, not {folds}")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed of a split must lie between 0 and {MAX_SEED}, not {seed}")
    if not 0 < fraction < 1:
        raise UsageError(f"the validation fraction must lie between 0 and 1, not {fraction}")


def _patient_roles(
    rows: pd.DataFrame, goals: pd.Series[Any], folds: int, seed: int, fraction: float
) -> list[np.ndarray[Any, Any]]:
    patients = rows["patient_id"]
    tested = tested_by_patient(patients, goals, folds, seed)
    parts = []
    for fold in range(folds):
        training = tested != fold
        # Each fold has its own stream, so that fold 3 is the same whether or not fold 2 was made.
        chosen = carve_validation(patients[training], goals[training], fraction, np.random.default_rng([seed, fold]))
        roles = np.where(training, np.where(patients.isin(chosen), "validation", "train"), "test")
        parts.append(roles)
    return parts


def _image_roles(goals: pd.Series[Any], folds: int, seed: int, fraction: float) -> list[np.ndarray[Any, Any]]:
    tested = tested_by_image(goals, folds, seed)
    images = pd.Series(goals.index.map(str), index=goals.index)
    parts = []
    for fold in range(folds):
        training = tested != fold
        chosen = carve_validation(images[training], goals[training], fraction, np.random.default_rng([seed, fold]))
        parts.append(np.where(training, np.where(images.isin(chosen), "validation", "train"), "test"))
    return parts


def _check_table(table: pd.DataFrame, cohort: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("image_id", "fold", "role") if name not in table.columns]
    if missing:
        raise SplitError(f"the split table lacks the column {missing[0]!r}")
    if table.empty:
        raise SplitError("the split table has no rows", remedy="It needs one row for each image of each fold")
    checked = table[["image_id", "fold", "role"]].reset_index(drop=True)
    checked = checked.assign(
        image_id=checked["image_id"].map(str), fold=_whole_numbers(checked["fold"]), role=checked["role"].map(str)
    )
    unknown = sorted(set(checked["role"]) - set(ROLES))
    if unknown:
        raise SplitError(f"unknown role {unknown[0]!r} in the split table", remedy=f"Roles are {', '.join(ROLES)}")
    strangers = checked.loc[~checked["image_id"].isin(set(cohort["image_id"])), "image_id"]
    if len(strangers):
        raise SplitError(
            f"the split names image {strangers.iloc[0]!r}, which the cohort lacks ({len(strangers)} in all)"
        )
    twice = checked[checked.duplicated(["image_id", "fold"])]
    if len(twice):
        raise SplitError(f"image {twice['image_id'].iloc[0]!r} occurs twice in fold {twice['fold'].iloc[0]}")
    return checked


def _whole_numbers(folds: pd.Series[Any]) -> pd.Series[Any]:
    try:
        numbers = pd.to_numeric(folds)
        whole = numbers.astype("int64")
    except (TypeError, ValueError) as error:
        raise SplitError(f"column 'fold' holds a value that is not a whole number: {error}") from error
    broken = numbers[whole != numbers]  # int64 cuts 0.5 to 0: two folds would become one
    if len(broken):
        raise SplitError(f"column 'fold' holds a value that is not a whole number: {broken.iloc[0]}")
    return whole
