"""Optimizers and schedules: what the recipe says is what is built."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from myosono.training import Recipe, load_recipe
from myosono.training.optimization import make_optimizer, schedule_factor

RECIPES = sorted((Path(__file__).parents[2] / "benchmarks" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_the_optimizer_is_the_recipes_and_spares_norms_and_biases(name, kind):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = make_optimizer(network, Recipe(optimizer=name, learning_rate=0.02, weight_decay=0.3, momentum=0.7))
    assert type(optimizer) is kind
    decayed, plain = optimizer.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert [parameter.ndim for parameter in decayed["params"]] == [4]
    assert decayed["lr"] == 0.02
    if name == "sgd":
        assert decayed["momentum"] == 0.7


@given(
    st.sampled_from(["cosine", "step", "constant"]),
    st.integers(1, 50),
    st.integers(1, 200),
)
def test_every_schedule_warms_up_then_never_rises(schedule, warmup, more):
    total = warmup + more
    factors = [schedule_factor(schedule, step, warmup=warmup, total=total) for step in range(total + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[warmup - 1] == 1
    after = factors[warmup:]
    assert all(later <= earlier for earlier, later in pairwise(after))


def test_each_schedule_ends_where_it_should():
    ends = {name: schedule_factor(name, 90, warmup=3, total=90) for name in ("cosine", "step", "constant")}
    assert ends == {"cosine": pytest.approx(0), "step": pytest.approx(0.01), "constant": 1.0}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_published_style_recipes_load(path):
    recipe = load_recipe(path)
    assert (recipe == Recipe()) is (path.stem == "house")


def test_there_are_three_published_styles_beside_ours():
    assert {path.stem for path in RECIPES} == {
        "house", "distilled", "taught", "sgd_step", "adam_plain", "adamw_gentle",
    }  # fmt: skip
