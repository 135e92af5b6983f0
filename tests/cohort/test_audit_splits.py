"""Splits that come from files: what is refused, what is warned of, and what is said where nothing was checked."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from myosono.cli.audit import audit_command
from myosono.cohort import make_split
from myosono.cohort.audit import audit_cohort
from myosono.errors import SplitError, UsageError

_CODES = {"Normal": "N", "IBM": "I", "PM": "P", "DM": "D"}


def run(*arguments):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(audit_command)
    return CliRunner().invoke(app, [str(item) for item in arguments])


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Ids in which nothing tells the class: patients are numbered in turns of the classes."""
    number = table.groupby("label")["patient_id"].transform(lambda names: pd.factorize(names)[0])
    classes = pd.factorize(table["label"])[0]
    turn = number * 4 + (classes + number) % 4
    patient = "p" + turn.astype(str).str.zfill(3)
    return table.assign(patient_id=patient, exam_id=patient, image_id=patient + table["image_id"].str[-2:])


@pytest.fixture
def cohort(build):
    return build(spread)


def write_folds(cohort, folds, ids=None):  # type: ignore[no-untyped-def]
    """Published fold files of scenario 4, for the images named."""
    (cohort.folder / "folds").mkdir(exist_ok=True)
    table = cohort.table
    for fold in folds:
        roles = ["Test" if row % 5 == fold - 1 else "Validation" if row % 5 == fold else "Train" for row in table.index]
        rows = {
            "FileNames": [f"{row}.PNG" for row in table.index],
            "OrginalFileID": table["image_id"] if ids is None else ids,
            "Labels": 0,
            "Class": table["label"].map(_CODES),
            "Type": roles,
        }
        pd.DataFrame(rows).to_csv(cohort.folder / "folds" / f"S4_FileList_Fold_{fold}.csv", index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.head(0), "no rows"),
        (lambda table: table.assign(fold=table["fold"] / 2), "not a whole number: 0.5"),
    ],
)
def test_empty_and_fractional_split_files_are_refused_by_name(cohort, tmp_path, change, message):
    """An empty one passed, and folds 0 and 0.5 became one."""
    change(make_split(cohort.table, folds=2).table).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(SplitError, match=message) as caught:
        audit_cohort(cohort.folder, split_file=tmp_path / "s.csv", quiet=True)
    assert caught.value.path == tmp_path / "s.csv"


def test_what_a_split_file_leaves_out_is_warned_of(cohort, tmp_path):
    split = make_split(cohort.table).table
    split = split[~split["image_id"].isin(cohort.table["image_id"].head(2))]
    split.loc[split["fold"] == 3, "role"] = split["role"].replace("test", "train")
    split.to_csv(tmp_path / "s.csv", index=False)
    result = audit_cohort(cohort.folder, split_file=tmp_path / "s.csv", quiet=True)
    told = " ".join(item.message for item in result.findings if item.severity == "warning")
    assert "fold 3 has no test images" in told
    assert "2 images of the cohort are in no fold" in told
    assert "of its images are never tested" in told


def test_a_hold_out_split_is_told_not_warned_of(cohort, tmp_path):
    split = make_split(cohort.table).table
    split[split["fold"] == 0].to_csv(tmp_path / "s.csv", index=False)
    result = audit_cohort(cohort.folder, split_file=tmp_path / "s.csv", quiet=True)
    assert [item.severity for item in result.findings] == ["note"]


def test_published_folds_of_another_set_are_no_clean_bill(cohort):
    """An empty table had passed --strict."""
    write_folds(cohort, (1, 2), ids=[f"other-{row}" for row in cohort.table.index])
    with pytest.raises(SplitError, match="72 of 72 images of the published folds are not in this cohort"):
        audit_cohort(cohort.folder, split="published", quiet=True)
    result = audit_cohort(cohort.folder, quiet=True)
    assert [split.kind for split in result.splits] == ["patient"]
    assert "72 of 72 images" in result.skipped["published folds"]
    shown = run(cohort.folder).output
    assert "Nothing found in what was checked." in shown
    assert "flatter" not in shown


def test_published_folds_that_match_in_part_say_so(cohort):
    ids = cohort.table["image_id"].where(cohort.table.index < 60, "other-" + cohort.table["image_id"])
    write_folds(cohort, (1, 3), ids=ids)
    result = audit_cohort(cohort.folder, split="published", quiet=True)
    assert len(result.splits) == 2
    assert result.skipped["published folds"] == "12 of 72 images of the published folds are not in this cohort"
    assert "36 of 60 images are tested in none" in result.skipped["published S4"]


def test_published_folds_are_told_in_one_line_and_a_file_by_its_whole_name(cohort, tmp_path):
    """A split file with " fold " in its name had been merged with them, and named by half."""
    write_folds(cohort, (1, 2, 3, 4, 5))
    shown = run(cohort.folder).output
    assert "leak 5 published folds: on average 100.0% of test images" in shown
    assert "split S4 fold" not in shown
    file = tmp_path / "my 2 fold [a] split.csv"
    make_split(cohort.table, "image").table.to_csv(file, index=False)
    shown = " ".join(run(cohort.folder, "--split-file", file).output.split())
    assert "published" not in shown
    assert "leak split my 2 fold [a] split.csv:" in shown
    assert "my 2 fold [a]" in shown.partition("Classes without pixels")[0]


def test_nothing_found_is_said_of_what_was_checked(cohort):
    assert "Nothing found that would flatter a score." in run(cohort.folder).output
    shown = run(cohort.folder, "--folds", "9").output
    assert "not checked patient split" in shown
    assert "Nothing found in what was checked." in shown


@pytest.mark.parametrize("seed", [-1, 5_000_000_000])
def test_a_seed_out_of_range_is_one_line(cohort, seed):
    """It had been a traceback of scikit-learn."""
    result = run(cohort.folder, f"--seed={seed}")
    assert isinstance(result.exception, UsageError)
    assert f"must lie between 0 and 2147483647, not {seed}" in str(result.exception)


def test_json_names_the_kind_of_each_split(cohort):
    told = json.loads(run(cohort.folder, "--json").stdout)
    assert told["splits"][0]["kind"] == "patient"
    assert told["splits"][0]["lookalike_pairs"] == []
