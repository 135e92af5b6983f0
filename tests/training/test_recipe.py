from __future__ import annotations

import pytest

from myosono.errors import RecipeError
from myosono.training import Recipe, load_recipe


def test_yaml_round_trip(tmp_path):
    recipe = Recipe(epochs=7, model_options={"initial_bias": -4.0})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml())
    assert load_recipe(path) == recipe


def test_overrides_win_and_reach_into_augmentation(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("epochs: 3\n")
    recipe = load_recipe(path, {"epochs": 5, "augmentation.flip": False})
    assert recipe.epochs == 5
    assert recipe.augmentation.flip is False


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'"),
        ({"augmentation.flipped": True}, "augmentation.flipped"),
        ({"epochs": 0}, "epochs"),
        ({"split": "random"}, "split"),
        ({"epochs": 3, "epochs.more": 1}, "no settings of its own"),
    ],
)
def test_unknown_keys_and_bad_values_are_named(overrides, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(None, overrides)


@pytest.mark.parametrize("text", ["- a\n- b\n", "epochs: [", "\x00"])
def test_a_file_that_is_no_mapping_is_named(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"recipe\.yaml"):
        load_recipe(path)
