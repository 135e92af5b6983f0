"""The random forest behind the same commands as the networks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from myosono.errors import ModelError, UsageError
from myosono.export import export_run
from myosono.networks import Preprocess
from myosono.reporting import write_run_report
from myosono.training import Recipe, train
from myosono.training.engineered import FEATURES, image_features
from myosono.training.engineered import estimator as forest


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe(
        model="rf_engineered", model_options={"trees": 40}, size=64, folds=2, validation_fraction=0.4, epochs=1
    )


@pytest.fixture(scope="module")
def run_and_evaluation(tiny_cohort, recipe, tmp_path_factory):
    return train(tiny_cohort, recipe, tmp_path_factory.mktemp("forest") / "run", quiet=True)


def test_a_run_of_the_forest_is_a_run_like_any_other(run_and_evaluation, tiny_cohort, tiny_run):
    run, evaluation = run_and_evaluation
    table = run.predictions()
    assert list(table.columns) == list(tiny_run[0].predictions().columns)
    tested = table[table["role"] == "test"]
    assert sorted(tested["image_id"]) == sorted(tiny_cohort.table["image_id"])
    np.testing.assert_allclose(table[[f"p_{name}" for name in run.classes]].sum(axis=1), 1)
    assert run.facts["status"] == "finished"
    assert run.facts["model"] == {
        "name": "rf_engineered", "pretrained": False, "kind": "estimator", "params": None, "macs": None,
        "macs_input": None,
    }  # fmt: skip
    assert evaluation.counts.patients == 16
    assert "rf_engineered" in write_run_report(run.path, evaluation).read_text()
    assert not list(run.path.glob("*.npy"))


def test_importances_name_every_feature_and_muscle(run_and_evaluation, tiny_cohort):
    run, _ = run_and_evaluation
    importances = pd.read_csv(run.fold_folder(0) / "importances.csv")
    muscles = {f"muscle_{muscle}" for muscle in tiny_cohort.table["muscle"]}
    assert set(importances["feature"]) == set(FEATURES) | muscles
    assert importances["importance"].sum() == pytest.approx(1)
    assert json.loads((run.fold_folder(0) / "fold.json").read_text())["features"] == len(importances)


def test_same_seed_same_predictions_and_another_forest_others(run_and_evaluation, tiny_cohort, recipe, tmp_path):
    first = run_and_evaluation[0].predictions()
    again = train(tiny_cohort, recipe, tmp_path / "again", quiet=True)[0].predictions()
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    grown = recipe.model_copy(update={"model_options": {"trees": 41}})
    other = train(tiny_cohort, grown, tmp_path / "other", quiet=True)[0].predictions()
    assert not first["p_Normal"].equals(other["p_Normal"])


def test_features_are_those_of_the_preprocessed_grey_levels(tiny_cohort, run_and_evaluation, monkeypatch):
    import torch

    image = np.array(tiny_cohort.image(tiny_cohort.table["image_id"].iloc[0]))
    preprocess = Preprocess(64)
    standardised = preprocess(torch.from_numpy(image))[0, 0]
    expected = (standardised * preprocess.std + preprocess.mean).round().clamp(0, 255).to(torch.uint8).numpy()
    np.testing.assert_array_equal(forest.grey_levels(standardised.numpy()), expected)
    assert image_features(expected)[0] == pytest.approx(float(expected.mean()))


def test_features_are_computed_once_for_the_same_pixels(tmp_path, monkeypatch):
    from myosono.progress import progress_bar

    inputs = np.random.default_rng(0).standard_normal((3, 1, 16, 16)).astype(np.float32)
    with progress_bar(disable=True) as bar:
        step = bar.add_task("features")
        first = forest.kept_features(inputs, tmp_path, bar, step)
        changed = forest.kept_features(inputs + 1, tmp_path, bar, step)
        monkeypatch.setattr(forest, "image_features", lambda image: pytest.fail("computed twice"))
        np.testing.assert_array_equal(forest.kept_features(inputs, tmp_path, bar, step), first)
    assert not np.array_equal(first, changed)


def test_the_forest_is_not_exported(run_and_evaluation, tiny_cohort, tmp_path):
    with pytest.raises(UsageError, match="rf_engineered"):
        export_run(run_and_evaluation[0], tiny_cohort, tmp_path / "model.onnx", quiet=True)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"model_options": {"depth": 3}}, r"'depth'.*Options are: trees"),
        ({"model_options": {"trees": 0}}, "'trees'"),
        ({"pretrained": True}, "no pretrained weights"),
    ],
)
def test_impossible_options_are_named(tiny_cohort, recipe, tmp_path, update, message):
    with pytest.raises(ModelError, match=message):
        train(tiny_cohort, recipe.model_copy(update=update), tmp_path / "run", quiet=True)
