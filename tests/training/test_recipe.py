from __future__ import annotations

import pytest

from myosono.errors import RecipeError
from myosono.training import Recipe, load_recipe
from myosono.training.recipe import Teacher


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


@pytest.mark.parametrize("text", ["", "teacher: null\n", "teacher: {views: 3}\n"])
def test_overrides_reach_into_a_teacher_that_is_absent_off_or_there(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    recipe = load_recipe(path, {"teacher.temperature": 4})
    assert recipe.teacher is not None
    assert (recipe.teacher.temperature, recipe.teacher.views) == (4, 3 if "views" in text else Teacher().views)
    assert load_recipe(path, {"epochs": 5}).teacher == (Teacher(views=3) if "views" in text else None)


def test_a_teacher_is_fitted_by_the_recipe_with_its_own_settings():
    recipe = Recipe(
        size=64,
        mixup=0.3,
        keep="last",
        patience=90,
        learning_rate=1e-3,
        model_options={"initial_bias": 0.0},
        teacher=Teacher(epochs=7),
    )
    fitted = recipe.for_teacher()
    expected = Recipe(size=64, model="tf_efficientnet_lite0", pretrained=True, epochs=7)
    assert fitted == expected
    assert Recipe().for_teacher() is None
    assert fitted.seed == recipe.seed
    assert len({recipe.for_teacher(member).seed for member in range(3)}) == 3


def test_identity_counts_what_is_used_and_leaves_out_what_decides_nothing():
    plain = Recipe().identity()
    assert not {"keep", "mixup", "teacher", "fold_files"} & set(plain)
    assert set(plain) == set(Recipe.model_fields) - {"keep", "mixup", "teacher", "fold_files"}
    assert Recipe(mixup=0.2).identity()["mixup"] == 0.2
    assert Recipe(keep="last").identity()["keep"] == "last"
    assert Recipe(teacher=Teacher()).identity()["teacher"]["model"] == "tf_efficientnet_lite0"
    assert Recipe(teacher=Teacher(views=3)).identity() != Recipe(teacher=Teacher()).identity()
    assert "members" not in Recipe(teacher=Teacher()).identity()["teacher"]  # results from before it keep their hash
    assert Recipe(teacher=Teacher(members=3)).identity()["teacher"]["members"] == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'"),
        ({"augmentation.flipped": True}, "augmentation.flipped"),
        ({"epochs": 0}, "epochs"),
        ({"teacher.pupils": 2}, "teacher.pupils"),
        ({"teacher.temperature": 0.5}, "teacher.temperature"),
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


def test_a_number_that_yaml_takes_for_text_is_a_number():
    assert Recipe(model_options={"dropout": "1e-1", "kind": "1e"}).model_options == {"dropout": 0.1, "kind": "1e"}


@pytest.mark.parametrize("seed", [-1, 5_000_000_000])
def test_a_seed_that_the_generators_do_not_take_is_refused(seed):
    """5000000000 had been a traceback once the split was made."""
    assert load_recipe(None, {"seed": 2**31 - 1}).seed == 2**31 - 1
    with pytest.raises(RecipeError, match="seed: Input should be"):
        load_recipe(None, {"seed": seed})
