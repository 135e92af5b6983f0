from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from myosono.cli.evaluate import evaluate_command
from myosono.errors import PredictionsError, RunError, UsageError
from myosono.evaluation import Evaluation

app = typer.Typer()
app.command()(evaluate_command)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_foreign_csv(tmp_path: Path, study: pd.DataFrame):
    path = tmp_path / "them.csv"
    study.loc[study["role"] == "test", ["patient_id", "target", *study.columns[-4:]]].to_csv(path, index=False)
    result = run(path, "--resamples", 20)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "them_evaluation"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert Evaluation.from_dict(metrics).counts.patients == 40
    assert (folder / "report.html").is_file()
    assert "Patients" in result.output
    assert "No validation rows" in result.output


def test_a_run_folder_as_json(tmp_path: Path, study: pd.DataFrame):
    study.to_parquet(tmp_path / "predictions.parquet")
    facts = {"format": 1, "classes": ["DM", "IBM", "PM", "Normal"], "split": {"kind": "image", "leaks": True}}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    result = run(tmp_path, "--resamples", 20, "--json", "--out", tmp_path / "elsewhere")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["classes"] == facts["classes"]
    assert "banner red" in (tmp_path / "elsewhere" / "report.html").read_text()
    assert not (tmp_path / "report.html").exists()


def test_errors_are_typed(tmp_path: Path):
    assert isinstance(run(tmp_path / "none").exception, UsageError)
    assert isinstance(run(tmp_path).exception, RunError)
    (tmp_path / "a.csv").write_text("nothing\n")
    assert isinstance(run(tmp_path / "a.csv").exception, PredictionsError)
    (tmp_path / "predictions.parquet").write_bytes(b"x")
    for content in ("{", '{"format": 9}'):
        (tmp_path / "run.json").write_text(content)
        assert isinstance(run(tmp_path).exception, RunError)


@pytest.mark.parametrize("arguments", [("--resamples", -1), ("--seed", "x")])
def test_usage(tmp_path: Path, arguments: tuple[object, ...]):
    assert run(tmp_path, *arguments).exit_code == 2
