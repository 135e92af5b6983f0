"""The suite keeps what an earlier, interrupted run left in the repository."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from myosono.evaluation.comparison import Condition, Contender, Entry
from myosono.evaluation.table import check_predictions

SUITE = Path(__file__).parents[2] / "benchmarks" / "suite.py"


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    return load(SUITE)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "patient-net-house-128px-seed0.parquet"
    pd.DataFrame({"image_id": ["a", "b", "c"], "fold": ["0", "1", "2"]}).to_parquet(path)
    facts = {"cells": {"0": "k0", "1": "k1", "2": "k2"}, "patient_temperatures": {"0": 1.0, "1": 1.1, "2": 1.2}}
    path.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    return path


def nothing_else() -> frozenset[str]:
    return frozenset()


def test_a_fold_that_is_not_fitted_anew_stays(suite: ModuleType, kept: Path) -> None:
    table, cells, temperatures = suite.earlier(kept, {"k0", "k1", "k2"}, {"1"}, nothing_else)
    assert table["fold"].tolist() == ["0", "2"]
    assert cells == {"0": "k0", "2": "k2"}
    assert temperatures == {"0": 1.0, "2": 1.2}


def test_a_fold_of_another_network_under_the_name_goes(suite: ModuleType, kept: Path) -> None:
    table, _, temperatures = suite.earlier(kept, {"changed", "k1"}, set(), nothing_else)
    assert table["fold"].tolist() == ["1"]
    assert temperatures == {"1": 1.1}


def test_folds_that_another_stage_plans_stay(suite: ModuleType, kept: Path) -> None:
    """Trying recipes on fold 0 had thrown away the folds that the chosen recipe was run on."""
    table, cells, _ = suite.earlier(kept, {"k0"}, {"0"}, lambda: frozenset({"k0", "k1", "k2"}))
    assert table["fold"].tolist() == ["1", "2"]
    assert cells == {"1": "k1", "2": "k2"}


def test_nothing_was_kept_before(suite: ModuleType, tmp_path: Path) -> None:
    assert suite.earlier(tmp_path / "none.parquet", set(), set()) == (None, {}, {})


def test_every_kept_fold_names_its_cell(suite: ModuleType) -> None:
    for path in suite.PREDICTIONS.glob("*/*.parquet"):
        cells = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["cells"]
        table = pd.read_parquet(path)
        assert sorted(table["fold"].astype(str).unique()) == sorted(cells), path
        assert not table.duplicated(["image_id", "fold"]).any(), path


def entry(model: str, recipe: str, *, seed: int = 0, folds: int = 2) -> Entry:
    """Thirty patients of two classes in two folds, an image each, told with some errors."""
    rng = np.random.default_rng(len(model))
    told = np.clip(np.tile([0.7, 0.3], 15) + rng.normal(0, 0.25, 30), 0.01, 0.99)
    names = [f"i{n}" for n in range(30)]
    table = pd.DataFrame({"image_id": names, "patient_id": names, "target": ["a", "b"] * 15})
    table = table.assign(fold=np.repeat([0, 1], 15), p_a=told, p_b=1 - told, role="test")
    table = table[table["fold"] < folds]
    images = check_predictions(table, classes=["a", "b"], path=Path("none"))
    where = Condition("pocus3", "label", "patient")
    return Entry(Contender(model, recipe=recipe), where, seed, images, {"0": 1.0, "1": 1.0}, of_folds=2)


def test_sizes_are_never_paired(tmp_path: Path) -> None:
    tables = load(SUITE.with_name("suite_table.py"))
    (tmp_path / "profile.json").write_text("[]", encoding="utf-8")
    sizes = {"house": 128, "house_96px": 96}
    kept = [
        (entry(model, recipe), {"px": px, "command": "run", "commit": "abc"})
        for recipe, px in sizes.items()
        for model in ("stanet_s", "resnet18")
    ]
    tables.write_tables(kept, tmp_path)
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert sorted(zip(summary["model"], summary["px"], strict=True)) == [
        ("resnet18", 96), ("resnet18", 128), ("stanet_s", 96), ("stanet_s", 128),
    ]  # fmt: skip
    paired = pd.read_csv(tmp_path / "paired.csv")
    pairs = set(zip(paired["model"], paired["recipe"], paired["against"], strict=True))
    assert pairs == {("resnet18", "house", "stanet_s"), ("resnet18", "house_96px", "stanet_s · house_96px")}


def test_ablations_are_corrected_among_themselves(tmp_path: Path) -> None:
    tables = load(SUITE.with_name("suite_table.py"))
    (tmp_path / "profile.json").write_text("[]", encoding="utf-8")
    facts = {"px": 128, "command": "run", "commit": "abc"}
    peers = [(entry(model, "house"), facts) for model in ("stanet_s", "resnet18")]
    ablations = [(entry(model, "house"), facts) for model in ("stanet_s_se", "stanet_s_cbam", "stanet_s_garrote")]
    tables.write_tables(peers, tmp_path)
    alone = pd.read_csv(tmp_path / "paired.csv")
    tables.write_tables([*peers, *ablations], tmp_path)
    both = pd.read_csv(tmp_path / "paired.csv")
    pd.testing.assert_frame_equal(both[both["model"] == "resnet18"].reset_index(drop=True), alone)
    assert set(both["model"]) == {"resnet18", "stanet_s_se", "stanet_s_cbam", "stanet_s_garrote"}
    assert len(pd.read_csv(tmp_path / "summary.csv")) == 5


def test_the_readmes_state_what_the_results_say() -> None:
    readme = load(SUITE.with_name("suite_readme.py"))
    results = readme.Results(SUITE.parent / "results")
    found = readme.written(results, SUITE.parent.parent)
    for path, text in found.items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python benchmarks/suite.py table"
    value, lo, hi = (
        results.of(("stanet_s", False, "house"))[0][name] for name in ("macro_auc", "macro_auc_lo", "macro_auc_hi")
    )
    shown = found[SUITE.parent.parent / "README.md"].replace("\N{WORD JOINER}", "")
    assert f"{value:.3f}<br>({lo:.3f}–{hi:.3f})" in shown


def test_a_seed_that_is_only_begun_waits_for_its_folds() -> None:
    tables = load(SUITE.with_name("suite_table.py"))
    whole, begun = entry("a", "house"), entry("a", "house", seed=1, folds=1)
    alone = entry("b", "house", folds=1)
    assert [one for one, _ in tables.settled([(whole, {}), (begun, {}), (alone, {})])] == [whole, alone]


def test_a_recipe_is_chosen_once_every_one_was_tried_on_every_set() -> None:
    recipes = load(SUITE.with_name("suite_recipes.py"))
    losses = {("a", "x"): (0.5, 0.9), ("a", "y"): (0.6, 0.6), ("b", "x"): (0.1, 0.1)}
    rows = [
        [model, False, recipe, benchmark, 0, 25, 3, loss, f"{model}{recipe}{benchmark}"]
        for (model, recipe), both in losses.items()
        for benchmark, loss in zip(("pocus3", "busi3"), both, strict=True)
    ]
    table = pd.DataFrame(rows, columns=recipes.COLUMNS)
    assert recipes.chosen_recipes(table, 2, 2) == {("a", False): "y"}
    assert recipes.chosen_recipes(table[:3], 2, 2) == {}
    assert recipes.chosen_recipes(table[:0], 2, 2) == {}


def test_every_stage_can_be_planned_by_name(suite: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SUITE.parent)
    settings = suite.load_suite()
    for stage in settings["stages"]:
        for models, names in suite.stage_parts(settings, stage):
            assert set(models) <= set(stage["models"])
            assert set(names) <= set(settings["recipes"]), stage["name"]
