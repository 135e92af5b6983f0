"""The cohort table: its columns, their types, and the rules that every room relies on.

One row is one image. ``image_id`` is unique, ``patient_id`` is never empty (splits group by it), and a patient has
one label, unless the source says otherwise and the caller accepts it by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from myosono.anatomy import DIAGNOSES
from myosono.errors import CohortError
from myosono.pooling import file_keys

TEXT_COLUMNS = ("image_id", "file", "patient_id", "exam_id", "muscle", "side", "label", "device")
"""Required text columns; ``""`` where unknown (never for ``image_id``, ``patient_id`` and ``label``)."""

COLUMNS = (*TEXT_COLUMNS, "width", "height", "sha256")
"""Required columns, in order. ``width`` and ``height`` in pixels, 0 where there is no image (metadata only);
``sha256`` is that of the image file's bytes in the cohort folder."""

OPTIONAL_COLUMNS = MappingProxyType(
    {"age": float, "sex": str, "strength": float, "cpk": float, "duration_months": float, "clip": str}
)
"""Optional columns: age in years, strength 1-10, creatine phosphokinase in U/L, duration in months; the file that an
image is a frame of, where it holds several: when patients are pooled its frames count as one image."""


@lru_cache(maxsize=1)
def cohort_schema() -> Any:
    """The pandera schema of a cohort table whose types have been settled by :func:`validate_table`.

    Returns
    -------
    pandera.pandas.DataFrameSchema
    """
    import pandera.pandas as pa

    def text(pattern: str | None = None, **options: Any) -> Any:
        return pa.Column(str, checks=pa.Check.str_matches(pattern) if pattern else None, **options)

    identity = r"\S"
    required = {
        "image_id": text(identity, unique=True),
        "file": text(r"^(?!/)(?!.*\.\.(/|$))"),
        "patient_id": text(identity),
        "exam_id": text(),
        "muscle": text(),
        "side": text(r"^[LR]?$"),
        "label": text(identity),
        "device": text(),
        "width": pa.Column("int64", checks=pa.Check.ge(0)),
        "height": pa.Column("int64", checks=pa.Check.ge(0)),
        "sha256": text(r"^([0-9a-f]{64})?$"),
    }
    optional = {
        name: pa.Column(kind, nullable=kind is float, required=False, checks=pa.Check.ge(0) if kind is float else None)
        for name, kind in OPTIONAL_COLUMNS.items()
    }
    return pa.DataFrameSchema({**required, **optional}, strict=True)


def validate_table(
    table: pd.DataFrame, *, allow_label_conflicts: bool | Iterable[str] = False, path: str | Path | None = None
) -> pd.DataFrame:
    """Check a cohort table and return it with settled types, ordered columns and a plain index.

    Parameters
    ----------
    table
        One row per image, with at least :data:`COLUMNS`.
    allow_label_conflicts
        Accept patients with two labels: all of them (``True``) or those named.
    path
        Where the table came from, for messages.

    Raises
    ------
    CohortError
        A column is missing or unknown, a value is out of range, an ``image_id`` occurs twice, or a patient has two
        labels.
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise CohortError(f"the cohort table lacks the column {missing[0]!r} ({len(missing)} missing)", path=path)
    if table.empty:
        raise CohortError("the cohort table has no rows", path=path)
    settled = _settle(table, path)
    _refuse_duplicates(settled, path)
    _run_schema(settled, path)
    allowed = set() if isinstance(allow_label_conflicts, bool) else set(allow_label_conflicts)
    if allow_label_conflicts is not True:
        _refuse_conflicts(settled, allowed, path)
    return settled


def label_conflicts(table: pd.DataFrame) -> dict[str, list[str]]:
    """Patients with more than one label: patient → its labels, both sorted."""
    pairs = table[["patient_id", "label"]].drop_duplicates()
    crowded = pairs[pairs.duplicated("patient_id", keep=False)]
    return {str(patient): sorted(map(str, group)) for patient, group in crowded.groupby("patient_id")["label"]}


def clips_of(table: pd.DataFrame) -> pd.Series[Any]:
    """The column ``clip`` of a cohort table, ``""`` throughout where it has none."""
    return table["clip"] if "clip" in table else pd.Series("", index=table.index)


def files_of(table: pd.DataFrame) -> list[str | int]:
    """What tells the files of a cohort table apart: the frames of a clip share one, every other image has its own.

    Examples
    --------
    >>> files_of(pd.DataFrame({"clip": ["loop", "loop", ""]}))
    ['loop', 'loop', 2]
    """
    return file_keys(clips_of(table).fillna("").tolist())


def ordered_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Class names in the order used everywhere: Normal, IBM, PM, DM for this disease, else alphabetical.

    Examples
    --------
    >>> ordered_classes(["DM", "Normal", "IBM", "DM"]), ordered_classes(["regular", "covid19"])
    (('Normal', 'IBM', 'DM'), ('covid19', 'regular'))
    """
    found = set(labels)
    if found <= set(DIAGNOSES):
        return tuple(name for name in DIAGNOSES if name in found)
    return tuple(sorted(found))


def _settle(table: pd.DataFrame, path: str | Path | None) -> pd.DataFrame:
    columns = [*COLUMNS, *(name for name in OPTIONAL_COLUMNS if name in table.columns)]
    unknown = [str(name) for name in table.columns if name not in columns]
    if unknown:
        raise CohortError(f"the cohort table has the unknown column {unknown[0]!r}", path=path)
    settled = pd.DataFrame({name: _settle_column(table[name], name, path) for name in columns})
    return settled.reset_index(drop=True)


def _settle_column(values: pd.Series[Any], name: str, path: str | Path | None) -> pd.Series[Any]:
    try:
        if name in ("width", "height"):
            return values.astype("int64")
        if OPTIONAL_COLUMNS.get(name) is float:
            return values.astype("float64")
    except (TypeError, ValueError) as error:
        raise CohortError(f"column {name!r} holds a value that is not a number: {error}", path=path) from error
    filled = values.astype(object).where(values.notna(), "")
    return filled.map(str).astype(str)


def _refuse_duplicates(table: pd.DataFrame, path: str | Path | None) -> None:
    twice = table.loc[table["image_id"].duplicated(), "image_id"]
    if len(twice):
        raise CohortError(f"image_id {twice.iloc[0]!r} occurs more than once ({len(twice)} duplicates)", path=path)


def _run_schema(table: pd.DataFrame, path: str | Path | None) -> None:
    import pandera.pandas as pa

    try:
        cohort_schema().validate(table)
    except pa.errors.SchemaError as error:
        cases = error.failure_cases
        value = cases["failure_case"].iloc[0] if isinstance(cases, pd.DataFrame) and len(cases) else cases
        column = getattr(error.schema, "name", None)
        raise CohortError(f"column {column!r} holds an impossible value: {value!r}", path=path) from error


def _refuse_conflicts(table: pd.DataFrame, allowed: set[str], path: str | Path | None) -> None:
    conflicts = {patient: labels for patient, labels in label_conflicts(table).items() if patient not in allowed}
    if not conflicts:
        return
    patient, labels = next(iter(conflicts.items()))
    raise label_conflict_error(patient, labels, more=len(conflicts) - 1, path=path)


def label_conflict_error(
    patient: str, labels: list[str], *, more: int = 0, path: str | Path | None = None
) -> CohortError:
    """The error that names a patient with two labels."""
    others = f" (and {more} more patients)" if more else ""
    return CohortError(
        f"patient {patient!r} has {len(labels)} labels: {', '.join(labels)}{others}",
        path=path,
        remedy="Correct the labels, or pass --allow-label-conflicts if the patient truly occurs in both classes",
    )
