"""Uçar's crops of the Johns Hopkins set: ``1.PNG`` to ``3214.PNG``, one workbook, and the published fold files.

The workbook names the patient on the first row of each patient only, and muscles as side + muscle (``RD``).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myosono.anatomy import parse_site
from myosono.cohort.published import find_fold_files
from myosono.cohort.readers.base import DIAGNOSIS_CODES, Failure, ReadOptions, Shot, Source, shot_of
from myosono.cohort.readers.charts import read_image_chart
from myosono.cohort.readers.johns_hopkins import DEVICE
from myosono.errors import CohortError, ImageError

WORKBOOK = "OrginalAndCroppedFileNames.xlsx"
"""The name is spelt like this in the publication."""

_COLUMNS = {
    "Patient Identifier": "patient_id",
    "2D Image": "image_id",
    "Muscle": "muscle",
    "Diagnosis": "label",
    "Cropped Image Name": "crop",
}
_OPTIONAL = {
    "Age": "age",
    "Sex": "sex",
    "Muscle Strength": "strength",
    "CPK": "cpk",
    "Duration of symptoms": "duration_months",
}
_CROP = re.compile(r"^\d+\.png$", re.IGNORECASE)


class Ucar:
    """Reader of Uçar's crops with their workbook."""

    name = "ucar"
    summary = f"Uçar's crops 1.PNG ... 3214.PNG with {WORKBOOK}"

    def detect(self, path: Path) -> str | None:
        """A folder that holds the workbook, or the workbook itself."""
        if path.is_file():
            return "it is an Excel workbook" if path.suffix.lower() == ".xlsx" else None
        return f"it holds {WORKBOOK}" if (path / WORKBOOK).is_file() else None

    def read(self, path: Path, options: ReadOptions) -> Source:
        """Open the workbook and find the crops.

        Raises
        ------
        CohortError
            Another workbook, an unknown code, or no crops at all while pixels are wanted.
        """
        workbook = path / WORKBOOK if path.is_dir() else path
        rows = read_workbook(workbook)
        crops = {} if options.metadata_only else _find_crops(workbook.parent)
        if not crops and not options.metadata_only:
            raise CohortError(
                "none of the crops (1.PNG ...) lies beside the workbook",
                path=workbook,
                remedy="Put them in the same folder; for counts and folds alone use: myosono audit",
            )
        return Source(
            "myositis",
            len(rows),
            _stream(rows, crops, options),
            notes=_compare_chart(workbook.parent / "im_muscle_chart.mat", rows),
            fold_files=[item.path for item in find_fold_files(workbook.parent / "FileList")],
        )


def read_workbook(path: Path) -> pd.DataFrame:
    """Read the workbook into cohort columns plus ``crop``, one row an image.

    Raises
    ------
    CohortError
        Not a workbook, a column is missing, or a code is unknown.
    """
    raw = _read_excel(path)
    table = raw.rename(columns=_rename(raw, path))
    table = table[[name for name in (*_COLUMNS.values(), *_OPTIONAL.values()) if name in table.columns]]
    table = table.dropna(subset=["image_id"]).reset_index(drop=True)
    table["patient_id"] = table["patient_id"].ffill()
    for column in _COLUMNS.values():
        empty = table[column].isna()
        if empty.any():
            raise CohortError(f"row {int(empty.to_numpy().argmax()) + 2} has no {column}", path=path)
        table[column] = table[column].str.strip()
    sites = table["muscle"].map(parse_site)
    label = table["label"].map(dict(DIAGNOSIS_CODES))
    for name, parsed in (("muscle", sites), ("label", label)):
        if parsed.isna().any():
            raise CohortError(f"unknown {name} code {table.loc[parsed.isna(), name].iloc[0]!r}", path=path)
    return table.assign(
        muscle=[muscle for muscle, _ in sites],
        side=[side for _, side in sites],
        label=label,
        exam_id=table["patient_id"] + "-" + table["image_id"].str[:8],
    )


def _read_excel(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl reports an extension it drops, which holds no data
            return pd.read_excel(path, dtype=str, engine="openpyxl")
    # A damaged zip or XML surfaces as almost any exception.
    except Exception as error:
        raise CohortError(f"the workbook cannot be read: {error}", path=path) from error


def _rename(raw: pd.DataFrame, path: Path) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for title, column in {**_COLUMNS, **_OPTIONAL}.items():
        # Headers carry their legend on further lines: "Diagnosis\nD - Dermatomyositis ...".
        found = [name for name in raw.columns if str(name).strip().lower().startswith(title.lower())]
        if column in ("muscle", "strength"):
            found = [name for name in found if ("strength" in str(name).lower()) == (column == "strength")]
        if found:
            names[found[0]] = column
        elif title in _COLUMNS:
            raise CohortError(f"the workbook lacks the column {title!r}", path=path, remedy=f"Expected is {WORKBOOK}")
    return names


def _find_crops(folder: Path) -> dict[str, Path]:
    return {item.name.lower(): item for item in sorted(folder.rglob("*")) if _CROP.match(item.name) and item.is_file()}


def _stream(rows: pd.DataFrame, crops: dict[str, Path], options: ReadOptions) -> Iterator[Shot | Failure]:
    from myosono.imaging import read_frame

    for row in rows.to_dict("records"):
        pixels = None
        if not options.metadata_only:
            file = crops.get(str(row["crop"]).lower())
            if file is None:
                yield Failure(str(row["crop"]), "the image file is missing")
                continue
            try:
                pixels = np.ascontiguousarray(read_frame(file).pixels)  # cropped already
            except ImageError as error:
                yield Failure(str(row["crop"]), error.reason)
                continue
        yield shot_of(row, DEVICE, pixels, _optional(row))


def _optional(row: Any) -> dict[str, float | str]:
    known = {name: row[name] for name in _OPTIONAL.values() if name in row and not pd.isna(row[name])}
    return {name: str(value) if name == "sex" else float(value) for name, value in known.items()}


def _compare_chart(chart_file: Path, rows: pd.DataFrame) -> list[str]:
    if not chart_file.is_file():
        return []
    chart = read_image_chart(chart_file)
    joined = rows.merge(chart, on="image_id", suffixes=("", "_chart"))
    held = f"{len(joined):,} of the {len(rows):,} here and {len(chart) - len(joined)} that are not"
    notes = [f"{chart_file.name} lists {len(chart):,} images of an earlier release: {held}"]
    changed = joined[joined["label"] != joined["label_chart"]]
    for patient, images in changed.groupby("patient_id"):
        before, after = images["label_chart"].iloc[0], images["label"].iloc[0]
        where = f"{before} in {chart_file.name} and {after} in the workbook"
        notes.append(f"patient {patient} is {where} ({len(images)} images)")
    return notes
