"""Runs: determinism, resuming after a kill, and what is refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from myosono.errors import CohortError, RunError, SplitError, UsageError
from myosono.export.artefact import load_network
from myosono.formats import RUN_FORMAT
from myosono.locking import alone
from myosono.networks import Preprocess
from myosono.training import Run, train
from myosono.training.fold import fit_fold
from myosono.training.resuming import FoldCheckpoint

KEPT = ["image_id", "fold", "role", "target"]


def probabilities(run: Run) -> pd.DataFrame:
    table = run.predictions()
    return table[[*KEPT, *(f"p_{name}" for name in run.classes)]]


def test_every_image_is_tested_once_and_no_patient_is_on_both_sides(tiny_run, tiny_cohort):
    run, evaluation = tiny_run
    table = run.predictions()
    tested = table[table["role"] == "test"]
    assert sorted(tested["image_id"]) == sorted(tiny_cohort.table["image_id"])
    splits = pd.read_parquet(run.path / "splits.parquet").merge(tiny_cohort.table[["image_id", "patient_id"]])
    assert splits.groupby(["fold", "patient_id"])["role"].nunique().max() == 1
    assert evaluation.counts.patients == 16
    assert run.facts["status"] == "finished"
    assert run.facts["split"]["leaks"] is False
    assert not (run.path / "inputs.npy").exists()


def test_the_run_folder_tells_everything(tiny_run):
    run, evaluation = tiny_run
    assert run.recipe.to_yaml() == (run.path / "recipe.yaml").read_text()
    assert {"command", "created", "versions", "machine", "cohort", "task", "classes", "model"} <= set(run.facts)
    assert run.facts["model"]["macs"] > 0
    assert json.loads((run.path / "metrics.json").read_text()) == evaluation.to_dict()
    for fold in run.folds:
        log = pd.read_csv(run.fold_folder(fold) / "log.csv")
        assert log["epoch"].tolist() == [0, 1]
        assert log.notna().all().all()


def test_same_seed_same_predictions(tiny_run, tiny_cohort, tiny_recipe, tmp_path):
    run, _ = tiny_run
    again, _ = train(tiny_cohort, tiny_recipe, tmp_path / "run", only_folds=[0], quiet=True)
    expected = probabilities(run).query("fold == 0").reset_index(drop=True)
    pd.testing.assert_frame_equal(probabilities(again), expected, check_exact=True)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_validated_network_is_the_exported_one(decay, tiny_cohort, tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"average_decay": decay})
    run, _ = train(tiny_cohort, recipe, tmp_path / "run", only_folds=[0], quiet=True)
    graph_network = load_network(run, 0)
    first = run.predictions().iloc[0]
    with torch.no_grad():
        inputs = Preprocess(recipe.size)(torch.from_numpy(np.array(tiny_cohort.image(first["image_id"]))))
        told = torch.softmax(graph_network(inputs), dim=1)[0].numpy()
    np.testing.assert_allclose(told, [first[f"p_{name}"] for name in run.classes], atol=1e-5)


def test_the_last_epoch_is_kept_where_the_recipe_says_so_and_none_is_stopped_early(tiny_cohort, tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"keep": "last", "epochs": 4, "patience": 1, "learning_rate": 0.03})
    run, _ = train(tiny_cohort, recipe, tmp_path / "run", only_folds=[0], quiet=True)
    facts = json.loads((run.fold_folder(0) / "fold.json").read_text())
    assert (facts["epochs"], facts["best_epoch"]) == (4, 3)
    losses = pd.read_csv(run.fold_folder(0) / "log.csv")["val_patient_loss"]
    assert facts["val_patient_loss"] == losses.iloc[-1] > losses.min(), (
        "the last epoch is the best: this proves nothing"
    )
    kept = torch.load(run.checkpoint(0), weights_only=True)["state_dict"]
    last = torch.load(run.fold_folder(0) / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(kept[name], last[name]) for name in last)


def test_what_resumes_is_the_last_epoch_and_not_the_best(tiny_cohort, tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"epochs": 4, "learning_rate": 0.03})
    run, _ = train(tiny_cohort, recipe, tmp_path / "run", only_folds=[0], quiet=True)
    facts = json.loads((run.fold_folder(0) / "fold.json").read_text())
    assert facts["best_epoch"] < 3, "the last epoch is the best: this proves nothing"
    epochs = [torch.load(run.fold_folder(0) / f"{name}.ckpt", weights_only=False)["epoch"] for name in ("best", "last")]
    assert epochs == [facts["best_epoch"], 3]


def test_a_moved_run_that_had_stopped_early_ends_as_it_would_have(tiny_cohort, tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"epochs": 12, "patience": 1, "learning_rate": 0.03})
    whole, _ = train(tiny_cohort, recipe, tmp_path / "whole", only_folds=[0], quiet=True)
    expected = pd.read_csv(whole.fold_folder(0) / "log.csv")
    assert len(expected) < 12, "never stopped early: this proves nothing"
    kept = probabilities(whole)
    moved = tmp_path / "moved"
    whole.path.rename(moved)
    for name in ("fold.json", "predictions.parquet"):  # killed before it had predicted
        (moved / "fold_0" / name).unlink()
    resumed, _ = train(tiny_cohort, recipe, moved, only_folds=[0], quiet=True)
    pd.testing.assert_frame_equal(probabilities(resumed), kept, check_exact=True)
    pd.testing.assert_frame_equal(pd.read_csv(moved / "fold_0" / "log.csv"), expected)


def test_a_checkpoint_in_a_moved_folder_keeps_the_best_score(tmp_path):
    old = FoldCheckpoint(tmp_path / "old", filename="best", monitor="loss")
    path = str(tmp_path / "old" / "best.ckpt")
    score = torch.tensor(0.25)
    state = old.state_dict() | {
        "best_model_score": score,
        "best_model_path": path,
        "kth_best_model_path": path,
        "kth_value": score,
        "best_k_models": {path: score},
    }
    new = FoldCheckpoint(tmp_path / "new", filename="best", monitor="loss")
    new.load_state_dict(state)
    here = str((tmp_path / "new" / "best.ckpt").resolve())
    assert (new.best_model_score, new.kth_value, new.best_k_models) == (score, score, {here: score})
    assert (new.best_model_path, new.kth_best_model_path, new.last_model_path) == (here, here, "")
    assert new.state_key == ModelCheckpoint(tmp_path / "old", filename="best", monitor="loss").state_key


def test_folds_fitted_one_by_one_stand_together(tiny_run, tiny_cohort, tiny_recipe, tmp_path):
    whole, evaluation = tiny_run
    first, _ = train(tiny_cohort, tiny_recipe, tmp_path / "run", only_folds=[0], quiet=True)
    assert (first.facts["status"], set(first.predictions()["fold"])) == ("some folds finished", {0})
    others = [fold for fold in whole.folds if fold != 0]
    run, found = train(tiny_cohort, tiny_recipe, tmp_path / "run", only_folds=others, quiet=True)
    assert run.facts["status"] == "finished"
    pd.testing.assert_frame_equal(probabilities(run), probabilities(whole), check_exact=True)
    assert found.to_dict() == evaluation.to_dict()
    again, _ = train(tiny_cohort, tiny_recipe, tmp_path / "run", only_folds=[0], quiet=True)
    assert again.facts["status"] == "finished"
    assert set(again.predictions()["fold"]) == set(whole.folds)


def _train_until_killed(cohort_folder, recipe, out):
    from myosono.cohort import Cohort

    train(Cohort.open(cohort_folder), recipe, out, only_folds=[0], quiet=True)


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_as_if_nothing_had_happened(tiny_cohort, tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"epochs": 5})
    whole, _ = train(tiny_cohort, recipe, tmp_path / "whole", only_folds=[0], quiet=True)
    out = tmp_path / "killed"
    process = multiprocessing.get_context("spawn").Process(
        target=_train_until_killed, args=(tiny_cohort.folder, recipe, out)
    )
    process.start()
    log = out / "fold_0" / "log.csv"
    deadline = time.monotonic() + 300
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert process.is_alive(), "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (out / "fold_0" / "fold.json").exists(), "killed too late to prove anything"
    resumed, _ = train(tiny_cohort, recipe, out, only_folds=[0], quiet=True)
    pd.testing.assert_frame_equal(probabilities(resumed), probabilities(whole), check_exact=True)
    logs = [
        pd.read_csv(run.fold_folder(0) / "log.csv").drop(columns=["seconds", "images_per_second"])
        for run in (whole, resumed)
    ]
    pd.testing.assert_frame_equal(*logs)


def test_a_finished_fold_is_not_fitted_again(tiny_run, tiny_cohort, tiny_recipe):
    run, evaluation = tiny_run
    before = run.checkpoint(0).stat().st_mtime_ns
    again, same = train(tiny_cohort, tiny_recipe, run.path, quiet=True)
    assert again.checkpoint(0).stat().st_mtime_ns == before
    assert same.to_dict() == evaluation.to_dict()


def test_another_recipe_in_the_same_folder_is_refused(tiny_run, tiny_cohort, tiny_recipe):
    run, _ = tiny_run
    with pytest.raises(RunError, match="another recipe or cohort"):
        train(tiny_cohort, tiny_recipe.model_copy(update={"epochs": 3}), run.path, quiet=True)


def test_a_folder_of_something_else_is_refused(tiny_cohort, tiny_recipe, tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(RunError, match="neither empty nor a run folder"):
        train(tiny_cohort, tiny_recipe, tmp_path, quiet=True)


def test_too_few_patients_of_a_class_names_class_and_count(tiny_cohort, tiny_recipe, tmp_path):
    with pytest.raises(SplitError, match=r"Normal|IBM|PM|DM"):
        train(tiny_cohort, tiny_recipe.model_copy(update={"folds": 5}), tmp_path / "run", quiet=True)


def test_an_unknown_fold_is_refused(tiny_cohort, tiny_recipe, tmp_path):
    with pytest.raises(UsageError, match=r"folds \[0, 1\], not \[7\]"):
        train(tiny_cohort, tiny_recipe, tmp_path / "run", only_folds=[7], quiet=True)


def test_a_missing_image_is_named(tiny_recipe, tmp_path):
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig.small(16, images_per_patient=1, scale=0.2, workers=1)
    cohort = simulate_cohort(config, tmp_path / "cohort", progress=False)
    cohort.path_of(cohort.table["image_id"].iloc[3]).unlink()
    with pytest.raises(CohortError, match="missing"):
        train(cohort, tiny_recipe, tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "not a run folder"), ("{", "damaged"), ('{"format": 99}', "format 99"), ("[]", "format None")],
)
def test_a_run_of_another_version_or_damaged_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=message):
        Run.open(tmp_path)
    assert RUN_FORMAT == 1


def test_image_split_says_that_it_leaks(tiny_cohort, tiny_recipe, tmp_path):
    run, _ = train(
        tiny_cohort, tiny_recipe.model_copy(update={"split": "image"}), tmp_path / "run", only_folds=[0], quiet=True
    )
    assert run.facts["split"]["leaks"] is True


def test_a_person_in_two_classes_counts_once_for_each_and_stays_on_one_side(tiny_recipe, tmp_path):
    import dataclasses

    from myosono.cohort import write_cohort
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig.small(20, images_per_patient=2, scale=0.2, workers=1)
    made = simulate_cohort(config, tmp_path / "cohort", progress=False)
    table = made.table.copy()
    first, second = (table.loc[table["label"] == label, "patient_id"].iloc[0] for label in ("IBM", "PM"))
    table.loc[table["patient_id"] == second, "patient_id"] = first
    info = dataclasses.replace(made.info, name="conflict")
    cohort = write_cohort(made.folder, table, info, allow_label_conflicts=True)
    run, evaluation = train(cohort, tiny_recipe.model_copy(update={"epochs": 1}), tmp_path / "run", quiet=True)
    assert evaluation.counts.patients == 20
    assert run.facts["split"]["leaks"] is False
    assert run.facts["cohort"]["label_conflicts"] == [first]
    assert {f"{first} (IBM)", f"{first} (PM)"} <= set(run.predictions()["patient_id"])


def test_folds_of_two_splits_do_not_mix(tiny_run, tiny_cohort, tiny_recipe, tmp_path):
    run, _ = tiny_run
    shutil.copytree(run.path, tmp_path / "run")
    split = pd.read_parquet(tmp_path / "run" / "splits.parquet")
    place = split.index[split["role"] == "train"][0]
    split.loc[place, "role"] = "validation"  # as changed fold files would
    split.to_parquet(tmp_path / "run" / "splits.parquet")
    with pytest.raises(RunError, match="was begun with another split: fold 0"):
        train(tiny_cohort, tiny_recipe, tmp_path / "run", quiet=True)


def test_a_fold_is_fitted_by_one_process_at_a_time(tiny_run, tmp_path, monkeypatch):
    """The weights of one process had been left beside the predictions of another, and export took them."""
    run, _ = tiny_run
    folder = tmp_path / "fold_0"
    folder.mkdir()
    task = SimpleNamespace(folder=folder)
    found = []
    second = threading.Thread(target=lambda: found.append(fit_fold(task, None)))
    with alone(folder / ".lock"):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        for name in ("predictions.parquet", "fold.json"):
            shutil.copy(run.fold_folder(0) / name, folder / name)
    second.join(20)
    pd.testing.assert_frame_equal(found[0], pd.read_parquet(folder / "predictions.parquet"))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_that_is_ended_does_not_say_that_all_went_well(tiny_cohort, tmp_path, sent, code):
    """Lightning turns signals into exits: SIGTERM had given 0, as if the training were finished."""
    command = [sys.executable, "-m", "myosono.cli", "train", str(tiny_cohort.folder), "--out", str(tmp_path / "run")]
    settings = ["model=stanet_xs", "folds=2", "batch_size=8", "size=64", "epochs=900", "patience=900"]
    options = [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run" / "fold_0" / "log.csv"
    until = time.monotonic() + 120
    while not (log.exists() and len(log.read_text().splitlines()) > 2) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(sent)
    _, told = process.communicate(timeout=120)
    assert process.returncode == code, told
    assert "when run again" in told
    assert "Traceback" not in told
