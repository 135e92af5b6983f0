"""The predictions table: read it, check it, give it one shape.

Everything in this room works from this table alone, so a table that another tool wrote is scored by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.errors import PredictionsError
from myosono.evaluation.table_files import LAYOUT, read_frame, require_distinct
from myosono.evaluation.table_probabilities import PREFIX, read_probabilities

ROLES = ("validation", "test")
_TEXT_DEFAULTS = {"muscle": "", "side": "", "device": "", "clip": "", "fold": "0", "role": "test"}


@dataclass(frozen=True, eq=False)
class Predictions:
    """A checked predictions table.

    Attributes
    ----------
    table
        Columns ``image_id, patient_id, muscle, side, device, clip, fold, role, target`` (all text) and ``p_<class>``.
    classes
        Class names in the order of the probability columns.
    source
        The file it came from, or None.
    named
        Whether the table names its images; otherwise ``image_id`` is the row's number.
    notes
        What was mended in it, in sentences.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    source: Path | None = None
    named: bool = True
    notes: tuple[str, ...] = ()

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Shape ``(rows, classes)``; each row sums to 1."""
        return self.table[[PREFIX + name for name in self.classes]].to_numpy(dtype=np.float64)

    @property
    def targets(self) -> NDArray[np.intp]:
        """Index of each row's target in ``classes``, shape ``(rows,)``."""
        return pd.Categorical(self.table["target"], categories=list(self.classes)).codes.astype(np.intp)

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds, numbers in order of size."""
        return tuple(sorted(self.table["fold"].unique(), key=lambda name: (not name.isdigit(), name.zfill(12))))

    def rows(self, role: str) -> Predictions:
        """The rows of one role."""
        part = self.table[self.table["role"] == role].reset_index(drop=True)
        return replace(self, table=part)


def read_predictions(path: str | Path, *, classes: Sequence[str] | None = None) -> Predictions:
    """Read a predictions table from Parquet or CSV (comma, semicolon or tab).

    Parameters
    ----------
    path
        The file; its kind is found from its content.
    classes
        Class names in the wanted order. Default: the order of the ``p_<class>`` columns.

    Raises
    ------
    PredictionsError
        If the file cannot be read, or is not a predictions table.
    """
    path = Path(path)
    return check_predictions(read_frame(path), classes=classes, path=path)


def check_predictions(
    frame: pd.DataFrame, *, classes: Sequence[str] | None = None, path: str | Path | None = None
) -> Predictions:
    """Check a table and give it the canonical columns.

    Parameters
    ----------
    frame
        At least ``patient_id``, ``target`` and ``p_<class>``. ``role`` defaults to ``"test"``, ``fold`` to ``"0"``,
        ``image_id`` to the row's number, the others to ``""``.
    classes
        Class names in the wanted order. Default: the order of the ``p_<class>`` columns.
    path
        Where the table came from, for messages.

    Raises
    ------
    PredictionsError
        With the file, the column and the row (counted from 1, without the header).

    Examples
    --------
    >>> found = check_predictions(pd.DataFrame({"patient_id": [7], "target": ["PM"], "p_DM": [0.2], "p_PM": [0.8]}))
    >>> found.classes, found.targets.tolist(), found.folds
    (('DM', 'PM'), [1], ('0',))
    """
    path = None if path is None else Path(path)
    names = _class_names(frame, classes, path)
    _require_columns(frame, ["patient_id", "target"], path)
    if frame.empty:
        raise PredictionsError("the table has no rows", path=path)
    table = pd.DataFrame(index=range(len(frame)))
    table["image_id"] = (
        _text(frame, "image_id", path) if "image_id" in frame else [f"row {row + 1}" for row in range(len(frame))]
    )
    table["patient_id"] = _text(frame, "patient_id", path)
    for column, default in _TEXT_DEFAULTS.items():
        optional = column in ("muscle", "side", "device", "clip")
        table[column] = _text(frame, column, path, empty=optional) if column in frame else default
    table["target"] = _text(frame, "target", path)
    _check_members(table["role"], ROLES, "role", path, "Leave out the rows of training images.")
    _check_members(table["target"], names, "target", path, "Name the targets as in the p_<class> columns.")
    table[[PREFIX + name for name in names]], notes = read_probabilities(frame, names, path)
    _check_once_per_fold(table, path)
    _check_one_target(table, path)
    return Predictions(table, names, path, named="image_id" in frame, notes=notes)


def _class_names(frame: pd.DataFrame, classes: Sequence[str] | None, path: Path | None) -> tuple[str, ...]:
    columns = [str(column) for column in frame.columns]
    found = tuple(column.removeprefix(PREFIX) for column in columns if column.startswith(PREFIX))
    require_distinct(columns, path)
    names = found if classes is None else tuple(classes)
    _require_columns(frame, [PREFIX + name for name in names], path)
    extra = [name for name in found if name not in names]
    if extra:
        raise PredictionsError(f"column p_{extra[0]} is for none of the classes {', '.join(names)}", path=path)
    if len(names) < 2 or len(set(names)) < len(names):
        raise PredictionsError(f"found {len(names)} p_<class> columns; at least 2 are needed", path=path, remedy=LAYOUT)
    return names


def _require_columns(frame: pd.DataFrame, columns: Sequence[str], path: Path | None) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PredictionsError(f"column {missing[0]} is missing", path=path, remedy=LAYOUT)


def _text(frame: pd.DataFrame, column: str, path: Path | None, *, empty: bool = False) -> list[str]:
    values = frame[column].reset_index(drop=True)
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # 3.0 in a fold column with gaps means fold 3
    text = values.astype(object).where(values.notna(), "").astype(str).str.strip()
    blank = np.flatnonzero(text == "")
    if len(blank) and not empty:
        raise PredictionsError(f"column {column} is empty in row {blank[0] + 1}", path=path)
    return list(text)


def _check_members(values: pd.Series, allowed: Sequence[str], column: str, path: Path | None, remedy: str) -> None:
    wrong = np.flatnonzero(~values.isin(allowed))
    if len(wrong):
        reason = (
            f"column {column} holds {values[wrong[0]]!r} in row {wrong[0] + 1}, which is none of {', '.join(allowed)}"
        )
        raise PredictionsError(reason, path=path, remedy=remedy)


def _check_once_per_fold(table: pd.DataFrame, path: Path | None) -> None:
    again = np.flatnonzero(table.duplicated(["fold", "image_id"]))
    if len(again):
        row = table.iloc[again[0]]
        reason = f"column image_id: {row['image_id']!r} is predicted twice in fold {row['fold']} (row {again[0] + 1})"
        raise PredictionsError(reason, path=path, remedy="Keep one prediction per image and fold.")


def _check_one_target(table: pd.DataFrame, path: Path | None) -> None:
    first = table.groupby("patient_id", sort=False)["target"].transform("first")
    wrong = np.flatnonzero(first != table["target"])
    if len(wrong):
        row = table.iloc[wrong[0]]
        reason = (
            f"column target: patient {row['patient_id']!r} is {row['target']!r} in row {wrong[0] + 1} "
            f"and {first[wrong[0]]!r} before"
        )
        raise PredictionsError(reason, path=path, remedy="A patient has one target.")
