"""The fold files that Uçar 2022 published: 4 scenarios of 5 folds, made by image, so that they leak.

Each file (``S{scenario}_FileList_Fold_{fold}.csv``) has the columns ``FileNames, OrginalFileID, Labels, Class, Type``,
where ``Type`` is Train, Validation or Test. Its own validation rows are kept: they hold none of the test images, but
the same patients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from myosono.errors import DAMAGED_TABLE, SplitError

SCENARIOS = MappingProxyType({1: "affected", 2: "ibm_vs_normal", 3: "ibm_vs_other", 4: "four_class"})
"""Scenario number → the task it serves."""

_NAME = re.compile(r"^S(?P<scenario>\d)_FileList_Fold_(?P<fold>\d+)\.csv$", re.IGNORECASE)
_COLUMNS = ("FileNames", "OrginalFileID", "Class", "Type")
_ROLES = {"Train": "train", "Validation": "validation", "Test": "test"}


@dataclass(frozen=True)
class FoldFile:
    """One fold file: where it is, and which scenario and fold (from 0) it holds."""

    path: Path
    scenario: int
    fold: int

    @property
    def name(self) -> str:
        """Short name, such as ``S4 fold 1`` (counted from 1, as its file)."""
        return f"S{self.scenario} fold {self.fold + 1}"

    def read(self) -> pd.DataFrame:
        """Columns ``crop`` (``1.PNG``), ``original_id``, ``target`` and ``role``, one row an image.

        Raises
        ------
        SplitError
            The file cannot be read, lacks a column, or holds an unknown type.
        """
        try:
            raw = pd.read_csv(self.path, dtype=str)
        except DAMAGED_TABLE as error:
            raise SplitError(f"the fold file cannot be read: {error}", path=self.path) from error
        missing = [name for name in _COLUMNS if name not in raw.columns]
        if missing:
            raise SplitError(f"the fold file lacks the column {missing[0]!r}", path=self.path)
        roles = raw["Type"].str.strip().map(_ROLES)
        if roles.isna().any():
            raise SplitError(f"unknown type {raw.loc[roles.isna(), 'Type'].iloc[0]!r}", path=self.path)
        columns = {"crop": raw["FileNames"], "original_id": raw["OrginalFileID"], "target": raw["Class"], "role": roles}
        return pd.DataFrame({name: values.map(str) for name, values in columns.items()})


def find_fold_files(folder: Path) -> list[FoldFile]:
    """Fold files in ``folder``, by scenario and fold; empty if there are none."""
    if not folder.is_dir():
        return []
    matches = [(entry, _NAME.match(entry.name)) for entry in sorted(folder.iterdir())]
    found = [FoldFile(entry, int(match["scenario"]), int(match["fold"]) - 1) for entry, match in matches if match]
    return sorted(found, key=lambda item: (item.scenario, item.fold))


def published_table(folder: Path, rows: pd.DataFrame, targets: pd.Series[Any]) -> pd.DataFrame:
    """Split table of the published scenario that serves these targets.

    Images are matched by ``image_id`` to the original file ID, else to the name of the crop (``1.PNG``). The scenario
    is the one whose images and classes are those of ``targets``.

    Raises
    ------
    SplitError
        No fold files there, or none of the scenarios fits the cohort and its targets.
    """
    files = find_fold_files(folder)
    if not files:
        raise SplitError("no published fold files (S1_FileList_Fold_1.csv ...) here", path=folder)
    goals = pd.Series(targets.to_numpy(), index=rows["image_id"].to_numpy())
    reasons: list[str] = []
    # Normal against IBM can be cut out of the folds of Normal against all: the file without strangers is meant.
    fitting: list[tuple[int, int, pd.DataFrame]] = []
    for scenario in sorted({item.scenario for item in files}):
        members = [item for item in files if item.scenario == scenario]
        table, strangers, reason = _scenario_table(members, rows, goals)
        if table is not None:
            fitting.append((strangers, scenario, table))
        reasons.append(f"S{scenario}: {reason}")
    if fitting:
        return min(fitting, key=lambda item: item[:2])[2]
    raise SplitError(f"the published folds do not fit this cohort and task ({'; '.join(reasons)})", path=folder)


def match_images(fold: pd.DataFrame, rows: pd.DataFrame) -> pd.Series[Any]:
    """``image_id`` of each row of a fold file, NaN where the cohort lacks the image."""
    by_original = {str(name): str(name) for name in rows["image_id"]}
    found = fold["original_id"].map(by_original)
    if found.notna().any():
        return found
    by_crop = {
        Path(str(file)).name.lower(): str(name) for file, name in zip(rows["file"], rows["image_id"], strict=True)
    }
    by_crop |= {f"{name}.png".lower(): str(name) for name in rows["image_id"]}
    return fold["crop"].str.lower().map(by_crop)


def _scenario_table(
    files: list[FoldFile], rows: pd.DataFrame, goals: pd.Series[Any]
) -> tuple[pd.DataFrame | None, int, str]:
    """Split table or None, how many images the files hold beyond the task's, and why there is no table."""
    pieces: list[pd.DataFrame] = []
    strangers = 0
    for item in files:
        fold = item.read()
        listed = len(fold)
        fold = fold.assign(image_id=match_images(fold, rows)).dropna(subset=["image_id"])
        strangers += listed - len(fold)
        absent = len(goals) - fold["image_id"].nunique()
        if absent:
            return None, 0, f"{absent} of {len(goals)} images are not in fold {item.fold + 1}"
        classes = fold["target"].groupby(fold["image_id"].map(goals)).nunique()
        if (classes > 1).any() or fold["target"].nunique() != len(classes):
            return None, 0, "its classes are other than the task's"
        pieces.append(fold[["image_id", "role"]].assign(fold=item.fold))
    table = pd.concat(pieces, ignore_index=True)
    if "validation" not in set(table["role"]):
        return None, 0, "it has no validation images"
    return table[["image_id", "fold", "role"]], strangers, ""
