"""Tables as spreadsheets save them, and what is said of a file that is no table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from myosono.errors import PredictionsError
from myosono.evaluation import read_predictions

TEXT = "patient_id,target,p_Überlappung,p_正常\n7,正常,0.25,0.75\n8,Überlappung,0.5,0.5\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_unicode_that_a_spreadsheet_saves_is_read(tmp_path: Path, encoding: str):
    for separator, name in ((",", "comma.csv"), ("\t", "unicode.txt")):
        path = tmp_path / name
        path.write_bytes(TEXT.replace(",", separator).encode(encoding))
        assert read_predictions(path).classes == ("Überlappung", "正常")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode("gb18030"), "its text is not UTF-8 .* Save it as CSV UTF-8"),
        ("patient_id,target,p_Überlappung,p_B\n".encode("latin-1"), "its text is not UTF-8"),
        (b"\xff\xfep\x00a\x00", "found 0 p_<class> columns"),
        (b"\xff\xfep\x00a", "damaged UTF-16 .* Save it as CSV UTF-8"),
        (b"PK\x03\x04 and a workbook", "is an Excel workbook. Save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0 and an old one", "is an Excel workbook"),
    ],
)
def test_what_is_no_utf_8_is_said_with_the_remedy(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match=said):
        read_predictions(path)


@pytest.mark.parametrize("header", ["p_A,p_A,p_B", '"p_A", p_A,p_B'])
def test_two_columns_of_one_name_are_no_third_class(tmp_path: Path, header: str):
    path = tmp_path / "x.csv"
    path.write_text(f"patient_id,target,{header}\nx,A,1,0,0\n")
    with pytest.raises(PredictionsError, match="two columns have the same name, p_A"):
        read_predictions(path)


def test_columns_without_a_name_are_no_such_pair(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("patient_id,target,p_A,p_B,,\nx,A,1,0,,\n")
    assert read_predictions(path).classes == ("A", "B")
    path.write_text("patient_id,target,p_A,p_A.1\nx,A,1,0\n")
    assert read_predictions(path).classes == ("A", "A.1")


def test_an_empty_cell_is_called_empty(tmp_path: Path):
    frame = pd.DataFrame({"patient_id": ["x", "y"], "target": "A", "p_A": [1.0, None], "p_B": [0.0, 0.5]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    for name in ("x.csv", "x.parquet"):
        with pytest.raises(PredictionsError, match="column p_A is empty in row 2"):
            read_predictions(tmp_path / name)
