"""MATLAB ``table`` objects of the Johns Hopkins files, as pandas tables.

mat-io opens the tables of this release as opaque objects, because they were saved by a MATLAB that did not write
``versionSavedFrom`` yet. Their properties hold all that is needed; newer files convert by themselves.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myosono.anatomy import parse_site
from myosono.cohort.readers.base import DIAGNOSIS_CODES
from myosono.errors import CohortError

IMAGE_CHART, PATIENT_CHART = "im_muscle_chart", "patient_chart"
IMAGE_COLUMNS = ("PatientID", "Image2D", "Muscle", "Diagnosis")

_REPEAT_VISIT = re.compile(r"^([A-Z]+\d+)[a-z]$")


def read_chart(path: Path, variable: str) -> pd.DataFrame:
    """Read one table variable of a v7.3 ``.mat`` file; all values as text.

    Raises
    ------
    CohortError
        The file is damaged or lacks the table.
    """
    import matio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mat-io warns that it leaves the table opaque, which is expected here
            loaded = matio.load_from_mat(str(path), variable_names=[variable])
    # mat-io raises whatever its parsing of damaged bytes happens to meet.
    except Exception as error:
        raise CohortError(f"the table {variable!r} cannot be read: {error}", path=path) from error
    if variable not in loaded:
        raise CohortError(f"the file holds no table {variable!r}", path=path)
    return _as_table(loaded[variable], variable, path)


def read_image_chart(path: Path) -> pd.DataFrame:
    """Read ``im_muscle_chart`` into ``image_id, patient_id, exam_id, muscle, side, label, view``, in the file's order.

    A second visit (``N038a``) belongs to the patient of the first (``N038``); biceps codes that end in ``_L`` are
    longitudinal views of the same muscle.

    Raises
    ------
    CohortError
        A column is missing, or a code is unknown.
    """
    chart = read_chart(path, IMAGE_CHART)
    missing = [name for name in IMAGE_COLUMNS if name not in chart.columns]
    if missing:
        raise CohortError(f"the table {IMAGE_CHART!r} lacks the column {missing[0]!r}", path=path)
    codes = chart["Muscle"].str.replace(r"_[A-Z]$", "", regex=True)
    sites = {code: parse_site(code) for code in codes.unique()}
    unknown = [code for code, site in sites.items() if site is None]
    if unknown:
        raise CohortError(f"unknown muscle code {unknown[0]!r} in {IMAGE_CHART!r}", path=path)
    label = chart["Diagnosis"].map(dict(DIAGNOSIS_CODES))
    if label.isna().any():
        raise CohortError(f"unknown diagnosis {chart.loc[label.isna(), 'Diagnosis'].iloc[0]!r}", path=path)
    return pd.DataFrame(
        {
            "image_id": chart["Image2D"],
            "patient_id": chart["PatientID"].str.replace(_REPEAT_VISIT, r"\1", regex=True),
            "exam_id": chart["PatientID"] + "-" + chart["Image2D"].str[:8],
            "muscle": codes.map(lambda code: (sites[code] or ("", ""))[0]),
            "side": codes.map(lambda code: (sites[code] or ("", ""))[1]),
            "label": label,
            "view": np.where(chart["Muscle"] != codes, "longitudinal", ""),
        }
    )


def _as_table(loaded: Any, variable: str, path: Path) -> pd.DataFrame:
    if isinstance(loaded, pd.DataFrame):
        return loaded.astype(object).map(_text).reset_index(drop=True)
    properties = getattr(loaded, "properties", None)
    if not isinstance(properties, dict) or not {"varnames", "data"} <= set(properties):
        raise CohortError(f"{variable!r} is not a MATLAB table", path=path)
    names = [_text(name) for name in np.ravel(properties["varnames"])]
    columns = [_column(values) for values in np.ravel(properties["data"])]
    lengths = {len(values) for values in columns}
    if len(names) != len(columns) or len(lengths) > 1:
        raise CohortError(f"the columns of {variable!r} differ in length", path=path)
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _column(values: Any) -> list[str]:
    return [_text(value) for value in np.asarray(values).ravel()]


def _text(value: Any) -> str:
    # A cell of text arrives as an array of one string; numbers as floats that were whole.
    while isinstance(value, np.ndarray):
        if value.size != 1:
            return ""
        value = value.ravel()[0]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()
