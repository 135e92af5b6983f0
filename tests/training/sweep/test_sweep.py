"""Sweeps: what a cell's identity depends on, that nothing is fitted twice, and that a failure stops nothing else."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from myosono.errors import UsageError
from myosono.locking import alone
from myosono.training.sweep import CellStore, InProcess, Processes, RayTasks, collect_entries, plan_cells, run_sweep
from myosono.training.sweep.job import Outcome
from myosono.training.sweep.store import lock_of

FAST = {"size": 64, "epochs": 1, "folds": 2, "batch_size": 16, "average_decay": 0.0}
MODELS = ("stanet_xs", "shufflenet_v2_x0_5")


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return tiny_recipe.model_validate({**tiny_recipe.model_dump(), **FAST})


@pytest.fixture(scope="module")
def cells(tiny_cohort, recipe):
    return plan_cells(tiny_cohort, {"default": recipe}, models=MODELS)


@pytest.fixture(scope="module")
def swept(cells, tmp_path_factory):
    store = CellStore(tmp_path_factory.mktemp("sweep"))
    return store, run_sweep(cells, store, InProcess(), quiet=True)


def keys(cells):
    return [cell.key for cell in cells]


def test_every_fold_of_every_model_is_a_cell_with_the_flagship_first(tiny_cohort, recipe, cells):
    assert [(cell.fold, cell.recipe.model) for cell in cells] == [(f, m) for f in (0, 1) for m in MODELS]
    other = plan_cells(tiny_cohort, {"default": recipe}, models=MODELS, flagship=MODELS[1])
    assert other[0].recipe.model == MODELS[1]
    assert sorted(keys(other)) == sorted(keys(cells))


def test_one_network_takes_part_with_both_starts(tiny_cohort, recipe, cells):
    both = plan_cells(
        tiny_cohort, {"default": recipe}, models=["stanet_s", "stanet_s:pretrained"], flagship="stanet_s:pretrained"
    )
    assert [(cell.recipe.model, cell.recipe.pretrained) for cell in both[:2]] == [
        ("stanet_s", True),
        ("stanet_s", False),
    ]
    assert len(set(keys(both))) == 4
    named = plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_s"], pretrained=["stanet_s"])
    assert keys(named) == [cell.key for cell in both if cell.recipe.pretrained]


def test_a_cell_is_another_when_what_decides_it_changes_and_the_same_otherwise(tiny_cohort, recipe, cells):
    def first(**changes):
        changed = recipe.model_copy(update=changes)
        return plan_cells(tiny_cohort, {"renamed": changed}, models=["stanet_xs"])[0].key

    assert first() == cells[0].key
    changed = {first(learning_rate=1e-4), first(epochs=2), first(model_options={"initial_bias": -4.0})}
    changed.add(plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs"], seeds=[1])[0].key)
    assert len(changed | {cells[0].key}) == 5


def test_a_cell_with_a_teacher_depends_on_the_teacher_and_on_its_structure(tiny_cohort, recipe):
    def first(**teacher):
        taught = recipe.model_validate({**recipe.model_dump(), "teacher": {"pretrained": False, **teacher}})
        return plan_cells(tiny_cohort, {"distilled": taught}, models=["stanet_xs"], only_folds=[0])[0]

    plain = plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs"], only_folds=[0])[0]
    wider = {"model_options": {"widths": [32, 32, 64]}}
    taught = [first(model="stanet_s"), first(model="stanet_xs"), first(model="stanet_s", temperature=4)]
    taught.append(first(model="stanet_xs", **wider))
    assert len({plain.key, *keys(taught)}) == 5
    ours = first(model="stanet_s", pretrained=True)
    assert ours.key != taught[0].key
    assert ours.structure == taught[0].structure == taught[2].structure != plain.structure
    assert len({cell.structure for cell in taught}) == 3


def test_a_distilled_cell_is_swept_and_leaves_no_checkpoint(tiny_cohort, recipe, tmp_path):
    teacher = {"model": "stanet_xs", "pretrained": False, "epochs": 1, "views": 1}
    taught = recipe.model_validate({**recipe.model_dump(), "teacher": teacher})
    cells = plan_cells(tiny_cohort, {"distilled": taught}, models=["stanet_xs"], only_folds=[0])
    store = CellStore(tmp_path)
    assert run_sweep(cells, store, InProcess(), quiet=True).failed == {}
    folder = store.folder_of(cells[0])
    assert (folder / "teacher" / "logits.npy").exists()
    assert list(tmp_path.rglob("*.ckpt")) == []
    assert json.loads((folder / "fold.json").read_text())["teacher"]["model"] == "stanet_xs"
    kept = store.predictions(cells[0])
    shutil.rmtree(folder)
    (folder / "teacher").mkdir(parents=True)
    (folder / "teacher" / "last.ckpt").write_bytes(b"half of a checkpoint")  # killed while the teacher trained
    assert run_sweep(cells, store, InProcess(), quiet=True).failed == {}
    pd.testing.assert_frame_equal(store.predictions(cells[0]), kept)


def test_a_finished_cell_is_never_fitted_again(cells, swept, monkeypatch):
    store, result = swept
    assert (result.fitted, result.kept, result.left, result.failed) == (len(cells), 0, 0, {})
    monkeypatch.setattr("myosono.training.sweep.job.fit_fold", None)
    again = run_sweep(cells, store, InProcess(), quiet=True)
    assert (again.fitted, again.kept) == (0, len(cells))


def test_a_damaged_cell_is_fitted_again_with_the_same_result(cells, swept):
    store, _ = swept
    kept = store.predictions(cells[1])
    path = store.folder_of(cells[1]) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    assert store.facts(cells[1]) is None
    assert run_sweep(cells, store, InProcess(), quiet=True).fitted == 1
    pd.testing.assert_frame_equal(store.predictions(cells[1]), kept)


def test_entries_hold_every_image_once(cells, swept, tiny_cohort):
    store, _ = swept
    entries = collect_entries(cells, store)
    assert [entry.contender.model for entry in entries] == list(MODELS)
    for entry in entries:
        assert sorted(entry.images.table["image_id"]) == sorted(tiny_cohort.table["image_id"])
        assert entry.of_folds == 2


def test_a_failed_cell_is_recorded_and_the_others_go_on(tiny_cohort, recipe, tmp_path, monkeypatch):
    from myosono.training.sweep import job

    fit = job.fit_fold

    def failing(task, bar):
        if task.fold == 0:
            raise MemoryError("no room")
        return fit(task, bar)

    monkeypatch.setattr(job, "fit_fold", failing)
    cells = plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs"])
    store = CellStore(tmp_path)
    result = run_sweep(cells, store, InProcess(), quiet=True)
    assert (result.fitted, list(result.failed.values())) == (1, ["MemoryError: no room"])
    assert store.error(cells[0]) == "MemoryError: no room"
    assert len(collect_entries(cells, store)) == 1


def test_no_cell_is_begun_after_the_budget(cells, tmp_path):
    result = run_sweep(cells, CellStore(tmp_path), InProcess(), budget_seconds=0.0, quiet=True)
    assert (result.fitted, result.left) == (0, len(cells))


def test_of_cells_alike_one_is_fitted(tiny_cohort, recipe, tmp_path):
    alike = plan_cells(tiny_cohort, {"one": recipe, "two": recipe}, models=["stanet_xs"], only_folds=[0])
    store = CellStore(tmp_path)
    result = run_sweep(alike, store, InProcess(), quiet=True)
    assert (result.fitted, result.failed) == (1, {})
    assert len(collect_entries(alike, store)) == 2
    with pytest.raises(UsageError, match="task"):
        plan_cells(tiny_cohort, {"one": recipe}, models=["stanet_xs"], tasks=["auto", "four_class"])


def test_a_cell_that_another_process_fits_comes_last_and_is_not_fitted_again(cells, swept, tmp_path):
    """Two sweeps in one folder had fitted the same cell side by side, one deleting the other's checkpoint."""
    finished, _ = swept
    store = CellStore(tmp_path)
    mine, other = cells[0], cells[2]

    order = []

    class Pool(InProcess):
        def submit(self, job):
            order.append(job.key)
            shutil.copytree(finished.folder_of(other), store.folder_of(other), dirs_exist_ok=True)
            return super().submit(job)

    lock_of(store.folder_of(other)).parent.mkdir()
    with alone(lock_of(store.folder_of(other))):
        assert store.is_being_fitted(other)
        result = run_sweep([other, mine], store, Pool(), quiet=True)
    assert order == [mine.key]
    assert (result.fitted, result.kept) == (1, 1)
    assert not store.is_being_fitted(other)


def test_a_cell_whose_worker_died_is_tried_again_alone(cells, tmp_path):
    """What ran beside one that ran out of memory had died with it twice, and was called failed."""

    class Pool:
        """Two at once; the first cell's worker dies, and with it all that run beside it."""

        slots = 2

        def submit(self, job):
            return job

        def wait(self, handles, timeout):
            dead = any(job.key == cells[0].key for job in handles)
            return [(job, None if dead else Outcome(job.key, 0.1)) for job in handles]

        def close(self):
            pass

    result = run_sweep(cells[:3], CellStore(tmp_path), Pool(), quiet=True)
    assert result.fitted == 2
    assert list(result.failed) == [cells[0].title]


def test_an_error_that_cannot_be_recorded_is_told_all_the_same(cells, tmp_path):
    store = CellStore(tmp_path)
    (tmp_path / "cells").mkdir()
    store.folder_of(cells[0]).write_text("a file in the way")
    result = run_sweep(cells[:1], store, InProcess(), quiet=True)
    assert list(result.failed) == [cells[0].title]


@pytest.mark.slow
def test_worker_processes_find_the_same(cells, swept, tmp_path):
    store, _ = swept
    other = CellStore(tmp_path)
    assert run_sweep(cells[:2], other, Processes(2), quiet=True).failed == {}
    for cell in cells[:2]:
        pd.testing.assert_frame_equal(other.predictions(cell), store.predictions(cell))


@pytest.mark.slow
def test_ray_finds_the_same(cells, swept, tmp_path):
    pytest.importorskip("ray")
    store, _ = swept
    other = CellStore(tmp_path)
    assert run_sweep(cells[:1], other, RayTasks(threads=1, slots=1), quiet=True).failed == {}
    pd.testing.assert_frame_equal(other.predictions(cells[0]), store.predictions(cells[0]))
    assert json.loads((other.folder_of(cells[0]) / "cell.json").read_text())["key"] == cells[0].key


def test_what_cannot_be_compared_is_refused(tiny_cohort, recipe):
    with pytest.raises(UsageError, match="twice"):
        plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs", "stanet_xs"])
    with pytest.raises(UsageError, match="'stanet_s:pretrained' is named twice"):
        plan_cells(
            tiny_cohort,
            {"default": recipe},
            models=["stanet_s", "stanet_s:pretrained"],
            pretrained=["stanet_s"],
        )
    with pytest.raises(UsageError, match="not among the models"):
        plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs"], flagship="stanet_s")
    with pytest.raises(UsageError, match="has folds"):
        plan_cells(tiny_cohort, {"default": recipe}, models=["stanet_xs"], only_folds=[7])
    with pytest.raises(UsageError, match="at least 1"):
        Processes(0)
