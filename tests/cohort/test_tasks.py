"""Tasks map labels to targets, and refuse cohorts that cannot supply them."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

from myosono.cohort import TASKS, default_task, get_task
from myosono.errors import UsageError

ALL = ["Normal", "IBM", "PM", "DM"]


@pytest.mark.parametrize(
    ("name", "classes", "targets"),
    [
        ("four_class", ("Normal", "IBM", "PM", "DM"), ["Normal", "IBM", "PM", "DM"]),
        ("affected", ("Normal", "affected"), ["Normal", "affected", "affected", "affected"]),
        ("ibm_vs_normal", ("Normal", "IBM"), ["Normal", "IBM", None, None]),
        ("ibm_vs_other", ("other", "IBM"), [None, "IBM", "other", "other"]),
        ("label", ("Normal", "IBM", "PM", "DM"), ["Normal", "IBM", "PM", "DM"]),
    ],
)
def test_targets(name, classes, targets):
    task = get_task(name, ALL)
    found = task.targets(pd.Series(ALL, index=[5, 6, 7, 8]))
    assert task.classes == classes
    assert [None if pd.isna(value) else value for value in found] == targets
    assert list(found.index) == [5, 6, 7, 8]
    assert pickle.loads(pickle.dumps(task)) == task


def test_refusals():
    with pytest.raises(UsageError, match="unknown task"):
        get_task("guess", ALL)
    with pytest.raises(UsageError, match=r"needs images of 'Normal'.*--task label"):
        get_task("affected", ["covid19", "regular"])
    with pytest.raises(UsageError, match="at least two classes"):
        get_task("label", ["one"])
    assert set(TASKS) == {"four_class", "affected", "ibm_vs_normal", "ibm_vs_other", "label"}
    assert (default_task(ALL), default_task(["a", "b"])) == ("four_class", "label")
