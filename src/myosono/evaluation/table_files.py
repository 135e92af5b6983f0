"""From a file to a data frame: Parquet, or CSV in the ways in which spreadsheets and other tools save it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow

from myosono.errors import DAMAGED_TABLE, PredictionsError

LAYOUT = "A predictions table has patient_id, target and one p_<class> column per class."
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and the older .xls
_SAVE = "Save it as CSV UTF-8"


def read_frame(path: Path) -> pd.DataFrame:
    """Read a table, of which nothing is known but that it should be Parquet or CSV (comma, semicolon or tab).

    Parameters
    ----------
    path
        The file; its kind is found from its content.

    Raises
    ------
    PredictionsError
        If the file cannot be read, or is no table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PredictionsError(f"cannot be read ({error.strerror})", path=path) from error
    if not content:
        raise PredictionsError("the file is empty", path=path, remedy=LAYOUT)
    if content.startswith(_WORKBOOKS):
        raise PredictionsError("is an Excel workbook", path=path, remedy=_SAVE)
    text = None if content[:4] == b"PAR1" else _decode(content, path)
    try:
        return _read_parquet(content) if text is None else _read_csv(text, path)
    except (*DAMAGED_TABLE, pyarrow.ArrowException) as error:
        raise PredictionsError(f"neither a Parquet nor a CSV table ({error})", path=path, remedy=LAYOUT) from error


def _read_parquet(content: bytes) -> pd.DataFrame:
    frame = pd.read_parquet(io.BytesIO(content))
    # Arrow looks at text only when it is used: damage shows here, not in the middle of an evaluation.
    return frame.astype({name: object for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)})


def _decode(content: bytes, path: Path) -> str:
    """Text of a CSV file: UTF-8, or what its first bytes announce (Excel's "Unicode text" is UTF-16)."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        reason = "its text is damaged UTF-16" if wide else "its text is not UTF-8"
        raise PredictionsError(f"{reason} (byte {error.start + 1})", path=path, remedy=_SAVE) from error


def require_distinct(names: Iterable[str], path: Path | None) -> None:
    """Refuse two columns of one name: nobody knows which is meant."""
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise PredictionsError(f"two columns have the same name, {again[0]}", path=path, remedy="Rename one of them")


def _read_csv(text: str, path: Path) -> pd.DataFrame:
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    named = next(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True), [])
    # pandas would call the second one "p_A.1", which is then a class that nobody has.
    require_distinct(filter(None, named), path)
    # Text first: a patient called "NA" or "007" must stay what it is.
    return pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True)
