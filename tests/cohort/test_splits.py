"""Splits: no patient on two sides, every image tested once, and the same table for the same seed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myosono.cohort import Split, get_task, make_split
from myosono.errors import SplitError, UsageError

COHORTS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 25)), min_size=15, max_size=40
)  # (class, number of images) of each patient


def table_of(patients: list[tuple[str, int]]) -> pd.DataFrame:
    rows = [
        (f"{number}-{shot}", f"P{number}", label)
        for number, (label, shots) in enumerate(patients)
        for shot in range(shots)
    ]
    table = pd.DataFrame(rows, columns=["image_id", "patient_id", "label"])
    return table.assign(muscle="D", side="R")


@settings(max_examples=60, deadline=None)
@given(COHORTS, st.integers(2, 5), st.integers(0, 3))
def test_patient_split_keeps_its_promises(patients, folds, seed):
    table = table_of(patients)
    count = table.drop_duplicates("patient_id")["label"].value_counts()
    try:
        split = make_split(table, "patient", folds=folds, seed=seed)
    except SplitError as error:
        rarest = int(count.min())
        assert rarest < folds or rarest - -(-rarest // folds) < 2, error  # noqa: PT017 - the property is when it may refuse
        return
    assert not split.leaks
    tested = split.table[split.table["role"] == "test"]
    assert sorted(tested["image_id"]) == sorted(table["image_id"])
    label = table.set_index("image_id")["label"]
    patient = table.set_index("image_id")["patient_id"]
    for _, rows in split.table.groupby("fold"):
        assert sorted(rows["image_id"]) == sorted(table["image_id"])
        assert patient[rows["image_id"]].groupby(rows["role"].to_numpy()).unique().explode().is_unique
        for _, members in rows.groupby("role"):
            assert set(label[members["image_id"]]) == set(table["label"])
        assert set(rows["role"]) == {"train", "validation", "test"}


@pytest.mark.parametrize("kind", ["patient", "image"])
def test_same_seed_same_table(make_table, kind):
    table = make_table()
    first, again = (make_split(table, kind, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    assert not first.table.equals(make_split(table, kind, seed=4).table)


def test_row_order_does_not_move_patients(make_table):
    table = make_table()
    straight = make_split(table, "patient", seed=1).table
    mixed = make_split(table.sample(frac=1, random_state=0), "patient", seed=1).table
    merged = straight.merge(mixed, on=["image_id", "fold"])
    assert (merged["role_x"] == merged["role_y"]).all()


def test_image_split_is_found_to_leak(make_table):
    split = make_split(make_table(), "image")
    assert split.leaks
    assert split.overlap[0].patient_seen > 0.9


def test_leak_is_computed_not_declared(make_table):
    table = make_table()
    split = make_split(table, "patient")
    moved = split.table.copy()
    test_image = moved.index[(moved["fold"] == 0) & (moved["role"] == "test")][0]
    moved.loc[test_image, "role"] = "train"
    assert Split.from_table(moved, table, "patient").leaks


def test_too_few_patients_names_class_counts_and_remedy(make_table):
    table = make_table(patients_per_class=6)
    table = table[~table["patient_id"].isin(["PM3", "PM4", "PM5"])]
    with pytest.raises(SplitError, match=r"class 'PM' has 3 patients, too few for 5 folds.*--folds 3"):
        make_split(table, "patient", folds=5)


def test_targets_leave_images_out(make_table):
    table = make_table()
    task = get_task("ibm_vs_normal", ["Normal", "IBM", "PM", "DM"])
    split = make_split(table, "patient", targets=task.targets(table["label"]))
    labels = table.set_index("image_id")["label"]
    assert set(labels[split.table["image_id"]]) == {"Normal", "IBM"}


def test_patients_in_two_classes_stay_together(make_table):
    table = make_table()
    table.loc[table.index[:2], "label"] = "IBM"  # patient Normal0 occurs in two classes
    assert not make_split(table, "patient").leaks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "random"}, "unknown kind"),
        ({"folds": 1}, "at least 2 folds"),
        ({"validation_fraction": 0.0}, "between 0 and 1"),
        ({"kind": "published"}, "fold files"),
        ({"seed": -1}, "between 0 and 2147483647, not -1"),
        ({"seed": 5_000_000_000}, "between 0 and 2147483647"),
    ],
)
def test_impossible_requests(make_table, options, message):
    with pytest.raises(UsageError, match=message):
        make_split(make_table(), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "exam"}, "unknown role"),
        ({"image_id": "stranger"}, "which the cohort lacks"),
        ({"fold": "x"}, "not a whole number"),
        ({"fold": 0.5}, "not a whole number: 0.5"),
        ({"fold": "0.5"}, "not a whole number: 0.5"),
        ({"fold": float("nan")}, "not a whole number"),
        ({"fold": 1e300}, "not a whole number"),
    ],
)
def test_foreign_split_tables(make_table, change, message):
    table = make_table()
    with pytest.raises(SplitError, match=message):
        Split.from_table(make_split(table).table.assign(**change), table, "file")
    with pytest.raises(SplitError, match="lacks the column 'role'"):
        Split.from_table(make_split(table).table.drop(columns="role"), table, "file")
    with pytest.raises(SplitError, match="no rows"):
        Split.from_table(make_split(table).table.head(0), table, "file")


def test_whole_folds_written_as_decimals_are_taken(make_table):
    table = make_table()
    split = make_split(table).table
    pd.testing.assert_frame_equal(Split.from_table(split.assign(fold=split["fold"] * 1.0), table, "file").table, split)


def test_the_largest_seed_makes_a_split(make_table):
    assert make_split(make_table(), seed=2**31 - 1).folds == (0, 1, 2, 3, 4)
