"""`myosono reproduce` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from myosono.cli.reproduce import reproduce_command
from myosono.errors import RecipeError, UsageError

SMALL = {"models": "stanet_xs", "tasks": "affected", "folds": 2, "folds_subset": "0", "size": 64, "epochs": 1,
         "settings": ["batch_size=8", "validation_fraction=0.4"]}  # fmt: skip


def test_table_files_and_json(tiny_cohort, tmp_path, capsys):
    reproduce_command(tiny_cohort.folder, tmp_path, **SMALL)
    shown = capsys.readouterr()
    for word in ("image-level", "patient-level", "Burlina 2017", "S1 affected", "simulated images", "same scheme"):
        assert word in shown.out
    assert "run 2 of 2: affected, patient folds, stanet_xs" in shown.err
    assert {item.name for item in tmp_path.iterdir()} == {
        "reproduction.html", "reproduction.csv", "reproduction.json", "runs",
    }  # fmt: skip
    assert len(list(tmp_path.glob("runs/*/report.html"))) == 2
    reproduce_command(tiny_cohort.folder, tmp_path, **SMALL, json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["complete"] is True
    assert found["table"][0]["image_level"]["leaks"] is True
    assert found["table"][0]["patient_level"]["leaks"] is False


def test_quick_is_one_small_fold_unless_told_otherwise(tiny_cohort, tmp_path, capsys):
    reproduce_command(tiny_cohort.folder, tmp_path, quick=True, tasks="affected", folds=2, epochs=1, size=64, json=True)
    found = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in found["table"]] == ["stanet_s"]
    assert found["settings"]["epochs"] == 1
    assert found["table"][0]["patient_level"]["folds"] == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"folds_subset": "a"}, UsageError, "--folds-subset"),
        ({"models": ","}, UsageError, "--models names nothing"),
        ({"tasks": "ibm"}, UsageError, "'ibm'"),
        ({"settings": ["model=vgg16"]}, UsageError, "--models"),
        ({"settings": ["epoch=3"]}, RecipeError, "unknown setting"),
    ],
)
def test_unusable_options_are_named_and_leave_nothing(tiny_cohort, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        reproduce_command(tiny_cohort.folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_usage_errors_exit_with_2_and_one_line(tmp_path):
    command = [sys.executable, "-m", "myosono.cli", "reproduce", str(tmp_path), "--out", "o", "--folds-subset", "x"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().count("\n") == 0
    assert "--folds-subset 'x'" in found.stderr
