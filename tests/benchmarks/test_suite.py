"""The suite keeps what an earlier, interrupted run left in the repository."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

SUITE = Path(__file__).parents[2] / "benchmarks" / "suite.py"


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite", SUITE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "patient-net-house-128px-seed0.parquet"
    pd.DataFrame({"image_id": ["a", "b", "c"], "fold": ["0", "1", "2"]}).to_parquet(path)
    facts = {"cells": {"0": "k0", "1": "k1", "2": "k2"}, "patient_temperatures": {"0": 1.0, "1": 1.1, "2": 1.2}}
    path.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    return path


def test_a_fold_that_is_not_fitted_anew_stays(suite: ModuleType, kept: Path) -> None:
    table, temperatures = suite.earlier(kept, {"0": "k0", "1": "k1", "2": "k2"}, {"1"})
    assert table["fold"].tolist() == ["0", "2"]
    assert temperatures == {"0": 1.0, "2": 1.2}


def test_a_fold_of_another_network_under_the_name_goes(suite: ModuleType, kept: Path) -> None:
    table, temperatures = suite.earlier(kept, {"0": "changed", "1": "k1"}, set())
    assert table["fold"].tolist() == ["1"]
    assert temperatures == {"1": 1.1}


def test_nothing_was_kept_before(suite: ModuleType, tmp_path: Path) -> None:
    assert suite.earlier(tmp_path / "none.parquet", {}, set()) == (None, {})


def test_every_kept_fold_names_its_cell(suite: ModuleType) -> None:
    for path in suite.PREDICTIONS.glob("*/*.parquet"):
        cells = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["cells"]
        table = pd.read_parquet(path)
        assert sorted(table["fold"].astype(str).unique()) == sorted(cells), path
        assert not table.duplicated(["image_id", "fold"]).any(), path
