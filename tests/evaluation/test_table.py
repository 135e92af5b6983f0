from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myosono.errors import PredictionsError
from myosono.evaluation import check_predictions, read_predictions

FOREIGN = pd.DataFrame({"patient_id": ["a", "a", "b"], "target": ["N", "N", "P"], "p_N": [0.9, 0.6, 0.2]})
FOREIGN["p_P"] = 1 - FOREIGN["p_N"]


def test_a_foreign_table_needs_three_kinds_of_columns():
    found = check_predictions(FOREIGN)
    assert found.classes == ("N", "P")
    assert found.table["role"].unique().tolist() == ["test"]
    assert found.table["image_id"].is_unique
    assert found.targets.tolist() == [0, 0, 1]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_of_any_separator(tmp_path: Path, separator: str):
    path = tmp_path / "them.csv"
    FOREIGN.to_csv(path, index=False, sep=separator, decimal="," if separator == ";" else ".", encoding="utf-8-sig")
    assert np.allclose(read_predictions(path).probabilities[:, 0], FOREIGN["p_N"])


def test_csv_and_parquet_agree(tmp_path: Path, study: pd.DataFrame):
    study.to_parquet(tmp_path / "a.parquet")
    study.to_csv(tmp_path / "a.csv", index=False)
    one, two = read_predictions(tmp_path / "a.parquet"), read_predictions(tmp_path / "a.csv")
    assert np.allclose(one.probabilities, two.probabilities)
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=False, check_dtype=False)


def test_names_that_look_like_numbers_or_gaps_survive(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("patient_id,muscle,target,p_N,p_P\n007,NA,N,1,0\nNA,,P,0,1\n")
    assert read_predictions(path).table["patient_id"].tolist() == ["007", "NA"]


def test_classes_may_be_reordered_and_small_errors_are_mended():
    frame = FOREIGN.assign(p_N=FOREIGN["p_N"] + 5e-4)
    found = check_predictions(frame, classes=["P", "N"])
    assert found.classes == ("P", "N")
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-12)


def test_folds_are_ordered_as_numbers(study: pd.DataFrame):
    assert check_predictions(study.assign(fold=study["fold"].map({0: 10, 1: 2, 2: 1, 3: 0}))).folds == (
        "0",
        "1",
        "2",
        "10",
    )


BAD = {
    "column target is missing": lambda d: d.drop(columns="target"),
    "column p_DM is missing": lambda d: d.drop(columns="p_DM"),
    "column target holds 'XX' in row 1": lambda d: d.assign(target="XX"),
    "column role holds 'train' in row 1": lambda d: d.assign(role="train"),
    "sum to": lambda d: d.assign(p_PM=d["p_PM"] * 0.5),
    "column p_PM is empty in row 1": lambda d: d.assign(p_PM=np.nan),
    "which is no probability": lambda d: d.assign(p_PM=np.inf),
    "column p_IBM holds -3": lambda d: d.assign(p_IBM=-3.0),
    "column p_IBM holds high in row 1": lambda d: d.assign(p_IBM="high"),
    "no rows": lambda d: d.iloc[:0],
    "predicted twice in fold": lambda d: pd.concat([d, d.iloc[:1]]),
    "column patient_id is empty in row 1": lambda d: d.assign(patient_id=""),
    "column p_XX is for none of the classes": lambda d: d.assign(p_XX=0.0),
    "and 'Normal' before": lambda d: d.assign(target=["Normal", "PM", *d["target"][2:]]),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_tables_name_file_column_and_row(study: pd.DataFrame, reason: str):
    with pytest.raises(PredictionsError) as caught:
        check_predictions(BAD[reason](study), classes=["Normal", "IBM", "PM", "DM"], path="them.csv")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("them.csv: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nonsense", b"\xff\xfe\x00\x01", b"just text"])
def test_unreadable_files(tmp_path: Path, content: bytes):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match=r"x\.parquet"):
        read_predictions(path)


def test_a_missing_file_and_a_folder(tmp_path: Path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(PredictionsError, match="cannot be read"):
            read_predictions(path)
