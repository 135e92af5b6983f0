"""Distillation through `train`: what the teacher may see, what is kept, and that it is the same every time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from rich.progress import Progress

from myosono.errors import ModelError, RecipeError
from myosono.training import Recipe, train
from myosono.training.distillation import Lessons
from myosono.training.distillation.teach import prepare_lessons, teacher_facts
from myosono.training.fitting import load_best, make_classifier, train_network, training_views
from myosono.training.fold import FoldTask
from myosono.training.recipe import Teacher

TEACHER = Teacher(model="stanet_s", pretrained=False, epochs=2, views=2, weight=0.7)
QUIET = Progress(disable=True)


@pytest.fixture(scope="module")
def recipe(tiny_recipe) -> Recipe:
    return tiny_recipe.model_copy(update={"teacher": TEACHER, "mixup": 0.5, "epochs": 3})


@pytest.fixture(scope="module")
def run(tiny_cohort, recipe, tmp_path_factory):
    return train(tiny_cohort, recipe, tmp_path_factory.mktemp("distilled") / "run", only_folds=[0], quiet=True)[0]


@pytest.fixture
def task(tmp_path) -> FoldTask:
    """12 training, 8 validation and 4 test images, a patient each."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"image_id": [f"i{n}" for n in range(24)], "patient_id": [f"p{n}" for n in range(24)]})
    rows = rows.assign(muscle="", side="", device="", target=["a", "b"] * 12)
    rows["role"] = ["train"] * 12 + ["validation"] * 8 + ["test"] * 4
    inputs = rng.normal(size=(24, 1, 64, 64)).astype(np.float32)
    recipe = Recipe(model="stanet_xs", size=64, epochs=1, batch_size=6, teacher=TEACHER)
    return FoldTask(recipe, ("a", "b"), rows, inputs, tmp_path / "fold_0", 0, "fold", quiet=True)


def test_the_run_keeps_the_teacher_and_its_answers(run, recipe, tiny_cohort):
    folder = run.fold_folder(0)
    roles = pd.read_parquet(run.path / "splits.parquet").query("fold == 0")["role"].value_counts()
    logits = np.load(folder / "teacher" / "logits.npy")
    assert logits.shape == (roles["train"], 2, len(run.classes))
    assert np.isfinite(logits).all()
    assert logits.std(axis=0).min() > 0
    facts = json.loads((folder / "fold.json").read_text())
    assert facts["teacher"]["model"] == "stanet_s"
    assert len(pd.read_csv(folder / "teacher" / "log.csv")) == facts["teacher"]["epochs"] == 2
    assert len(pd.read_csv(folder / "log.csv")) == 3
    assert run.recipe == recipe
    assert run.facts["model"]["teacher"] == {"name": "stanet_s", "pretrained": False}
    assert not (folder / "teacher" / "last.ckpt").exists()


def test_same_seed_same_predictions(run, tiny_cohort, recipe, tmp_path):
    again, _ = train(tiny_cohort, recipe, tmp_path / "run", only_folds=[0], quiet=True)
    pd.testing.assert_frame_equal(again.predictions(), run.predictions(), check_exact=True)


def test_the_teacher_changes_what_is_learnt(run, tiny_cohort, recipe, tmp_path):
    alone, _ = train(
        tiny_cohort, recipe.model_copy(update={"teacher": None}), tmp_path / "run", only_folds=[0], quiet=True
    )
    columns = [f"p_{name}" for name in run.classes]
    assert not np.allclose(alone.predictions()[columns], run.predictions()[columns])


def test_the_teacher_is_the_same_network_as_when_it_is_trained_alone(task):
    prepare_lessons(task, training_views(task), QUIET)
    alone = FoldTask(
        task.recipe.for_teacher(), task.classes, task.rows, task.inputs, task.folder.with_name("alone"), 0, "", True
    )
    alone.folder.mkdir()
    train_network(alone, QUIET)
    taught, single = (make_classifier(alone), make_classifier(alone))
    load_best(alone, single)
    taught.load_state_dict(torch.load(task.folder / "teacher" / "best.ckpt", weights_only=True)["state_dict"])
    for one, other in zip(taught.state_dict().values(), single.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_no_answer_depends_on_a_test_image(task):
    before = prepare_lessons(task, training_views(task), QUIET).logits
    task.inputs[task.indices("test")] = 100.0
    task.rows.loc[task.rows["role"] == "test", "target"] = "a"
    other = FoldTask(
        task.recipe, task.classes, task.rows, task.inputs, task.folder.with_name("other"), 0, "", True
    )  # fmt: skip
    assert torch.equal(prepare_lessons(other, training_views(other), QUIET).logits, before)


def test_answers_are_the_teachers_to_the_views_that_the_student_sees(task):
    views = training_views(task)
    lessons = prepare_lessons(task, views, QUIET)
    teacher_task = FoldTask(
        task.recipe.for_teacher(), task.classes, task.rows, task.inputs, task.folder / "teacher", 0, "", True
    )
    teacher = make_classifier(teacher_task)
    load_best(teacher_task, teacher)
    teacher.eval()
    for epoch in (0, 1, 2):  # the third epoch takes the first view again
        batch, answers = lessons.batch([7, 0], epoch)
        with torch.no_grad():
            torch.testing.assert_close(teacher(batch.images), answers, atol=1e-4, rtol=1e-4)
    assert torch.equal(lessons.batch([3], 0)[0].images, lessons.batch([3], 2)[0].images)
    assert not torch.equal(lessons.batch([3], 0)[0].images, lessons.batch([3], 1)[0].images)


def test_kept_answers_are_read_and_a_killed_teacher_is_not_fitted_twice(task):
    first = prepare_lessons(task, training_views(task), QUIET).logits
    kept = task.folder / "teacher" / "logits.npy"
    np.save(kept, first.numpy() + 1)
    assert torch.equal(prepare_lessons(task, training_views(task), QUIET).logits, first + 1)
    kept.write_bytes(kept.read_bytes()[:90])  # damaged; the teacher is fitted all the same
    before = (task.folder / "teacher" / "best.ckpt").stat().st_mtime_ns
    assert torch.equal(prepare_lessons(task, training_views(task), QUIET).logits, first)
    assert (task.folder / "teacher" / "best.ckpt").stat().st_mtime_ns == before


def test_the_loss_is_the_weighted_sum_of_teacher_and_labels(task):
    views = training_views(task)
    lessons = prepare_lessons(task, views, QUIET)
    losses = {}
    for weight in (0.25, 0.5, 1.0):
        changed = task.recipe.model_copy(update={"teacher": TEACHER.model_copy(update={"weight": weight})})
        module = make_classifier(
            FoldTask(changed, task.classes, task.rows, task.inputs, task.folder, 0, "", True),
            views=views, lessons=lessons,
        ).eval()  # fmt: skip
        module.trainer = type("Trainer", (), {"current_epoch": 0})()
        rows = torch.arange(6)
        targets = torch.tensor(task.targets(rows.numpy()))
        losses[weight] = module.training_step((torch.zeros(6), targets, rows), 0).item()
    assert losses[0.5] == pytest.approx((2 * losses[0.25] + losses[1.0]) / 3, rel=1e-5)
    assert losses[0.25] != pytest.approx(losses[1.0], rel=1e-3)


def test_what_cannot_teach_or_learn_is_refused(tiny_cohort, recipe, tmp_path):
    forest = recipe.model_copy(update={"teacher": TEACHER.model_copy(update={"model": "rf_engineered"})})
    with pytest.raises(ModelError, match=r"rf_engineered .*teacher"):
        train(tiny_cohort, forest, tmp_path / "a", only_folds=[0], quiet=True)
    with pytest.raises(RecipeError, match="learns from no teacher"):
        train(
            tiny_cohort,
            recipe.model_copy(update={"model": "rf_engineered"}),
            tmp_path / "b",
            only_folds=[0],
            quiet=True,
        )


def test_lessons_belong_to_their_images(task):
    with pytest.raises(ValueError, match="11, 2, 2"):
        Lessons(training_views(task), np.zeros((11, 2, 2), dtype=np.float32))


def test_members_answer_together_with_their_mean_probability(task):
    several = replace(task, recipe=with_members(task.recipe, 2))
    views = training_views(several)
    lessons = prepare_lessons(several, views, QUIET)
    members = []
    for number in (0, 1):
        recipe = several.recipe.for_teacher(number)
        folder = several.folder / "teacher" / f"member_{number}"
        member = make_classifier(replace(several, recipe=recipe, folder=folder))
        load_best(replace(several, recipe=recipe, folder=folder), member)
        members.append(member.eval())
    batch, answers = lessons.batch([7, 0], 1)
    with torch.no_grad():
        told = [torch.softmax(member(batch.images), dim=1) for member in members]
    assert not torch.allclose(*told, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.softmax(answers, dim=1), (told[0] + told[1]) / 2, atol=1e-6, rtol=1e-6)
    facts = teacher_facts(several)
    assert facts["model"] == "stanet_s"
    assert [set(one) >= {"epochs", "best_epoch"} for one in facts["members"]] == [True, True]
    assert not list(several.folder.rglob("last.ckpt"))


def test_the_first_of_several_members_is_the_teacher_of_one(task):
    several = replace(task, recipe=with_members(task.recipe, 2), folder=task.folder.with_name("several"))
    prepare_lessons(task, training_views(task), QUIET)
    prepare_lessons(several, training_views(several), QUIET)
    alone = torch.load(task.folder / "teacher" / "best.ckpt", weights_only=True)["state_dict"]
    first = torch.load(several.folder / "teacher" / "member_0" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(alone[name], first[name]) for name in alone)


def with_members(recipe: Recipe, count: int) -> Recipe:
    return recipe.model_copy(update={"teacher": TEACHER.model_copy(update={"members": count})})
