"""Cells: what one fit of one fold depends on, its content hash, and the order in which cells are worth fitting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
from pydantic import ValidationError

from myosono.cohort import Cohort, default_task, roles_sha256
from myosono.errors import UsageError
from myosono.hashing import sha256_bytes, sha256_lines
from myosono.networks import create_model, model_kind
from myosono.networks.starting_weights import starting_weights_sha256
from myosono.training.fold_task import identity_columns
from myosono.training.recipe import Recipe
from myosono.training.sweep.entrants import order_entrants, unique
from myosono.training.train import make_recipe_split, target_rows

PREDICTION_FORMAT = 1
"""Raised when the columns or the meaning of a cell's predictions change: older cells are then fitted again."""


@dataclass(frozen=True, eq=False)
class Contest:
    """One cohort, task, split and seed: what all networks are compared on.

    Attributes
    ----------
    rows
        A row per cohort image in the cohort's order: identity, ``target`` (None outside the task).
    roles
        Role of each row by fold (``""`` outside the task).
    folds
        Number of folds of the split, fitted or not.
    """

    cohort: Cohort
    task: str
    split: str
    seed: int
    classes: tuple[str, ...]
    rows: pd.DataFrame
    roles: Mapping[int, pd.Series[Any]]
    leaks: bool

    @property
    def folds(self) -> int:
        """Number of folds of the split."""
        return len(self.roles)

    def rows_of(self, fold: int) -> pd.DataFrame:
        """Rows with the ``role`` that each has in a fold."""
        return self.rows.assign(role=self.roles[fold].to_numpy())

    def roles_digest(self, fold: int) -> str:
        """Hash of who trains, validates and tests: covers fold files and the splitter's version alike."""
        return roles_sha256(self.rows["image_id"], self.roles[fold])


@dataclass(frozen=True, eq=False)
class Cell:
    """One fold of one network under one recipe.

    Attributes
    ----------
    recipe
        With model, ``pretrained``, task, split and seed filled in.
    recipe_name
        How tables call the recipe; no part of the identity.
    structure
        Hash of the modules and parameter shapes of the network and of its teacher, if it has one, so that a network
        that changed under its name is another.
    """

    contest: Contest = field(repr=False)
    recipe: Recipe
    recipe_name: str
    fold: int
    structure: str

    @cached_property
    def key(self) -> str:
        """Content hash of all that decides the predictions, 24 hexadecimal digits."""
        identity = {
            "format": PREDICTION_FORMAT,
            "cohort": self.contest.cohort.info.content_hash,
            "recipe": self.recipe.identity(),
            "structure": self.structure,
            "fold": self.fold,
            "roles": self.contest.roles_digest(self.fold),
        }
        if self.recipe.pretrained and (shipped := starting_weights_sha256(self.recipe.model)):
            identity["starting_weights"] = shipped
        teacher = self.recipe.for_teacher()
        if teacher is not None and teacher.pretrained:
            shipped = starting_weights_sha256(teacher.model)
            if shipped and shipped != identity.get("starting_weights"):
                identity["teacher_weights"] = shipped
        return sha256_bytes(json.dumps(identity, sort_keys=True).encode())[:24]

    @property
    def model_label(self) -> str:
        """The network and where its weights come from."""
        return self.recipe.model + (" (pretrained)" if self.recipe.pretrained else "")

    @property
    def title(self) -> str:
        """For people: network, recipe, contest, fold."""
        parts = [self.model_label, self.recipe_name]
        parts += [self.contest.cohort.info.name, self.contest.task, f"{self.contest.split} split"]
        return " · ".join(
            [*parts, f"seed {self.contest.seed}", f"fold {self.fold} ({self.fold + 1} of {self.contest.folds})"]
        )


def make_contest(cohort: Cohort, recipe: Recipe) -> Contest:
    """The contest that a recipe's task, split and seed describe.

    Raises
    ------
    CohortError, SplitError, UsageError
        As :func:`myosono.training.train`.
    """
    known, classes = target_rows(cohort, recipe)
    split = make_recipe_split(cohort, known, recipe)
    by_id = known.set_index("image_id")
    rows = cohort.table[identity_columns(cohort.table)].reset_index(drop=True)
    # All of a cohort's tasks share one array of inputs, so rows outside this task stay, without a role.
    inside = rows["image_id"].isin(by_id.index)
    rows["patient_id"] = rows["patient_id"].mask(inside, rows["image_id"].map(by_id["patient_id"]))
    rows["target"] = rows["image_id"].map(by_id["target"])
    roles = {
        int(str(fold)): rows["image_id"].map(part.set_index("image_id")["role"]).fillna("")
        for fold, part in split.table.groupby("fold")
    }
    return Contest(cohort, recipe.task, recipe.split, recipe.seed, classes, rows, roles, split.leaks)


def plan_cells(
    cohort: Cohort,
    recipes: Mapping[str, Recipe],
    *,
    models: Sequence[str],
    tasks: Sequence[str] = ("auto",),
    splits: Sequence[str] = ("patient",),
    seeds: Sequence[int] = (0,),
    pretrained: Sequence[str] = (),
    flagship: str | None = None,
    only_folds: Sequence[int] | None = None,
) -> list[Cell]:
    """Every fold × model × recipe × task × split × seed, the most telling first.

    The order is seed, recipe, task, split, fold, model with the flagship first, so that after each fold all networks
    can be compared, and a second seed comes only when the first is whole.

    Parameters
    ----------
    recipes
        By name; their model, task, split and seed are replaced.
    models
        Registered or timm names, in the order in which they are fitted; with ``:pretrained`` behind it a network starts
        from pretrained weights, so one may be named with both starts.
    pretrained
        Those of ``models`` that start from pretrained weights without the ending.
    flagship
        Goes first. Default: the first model.
    only_folds
        Fit these folds and no others.

    Raises
    ------
    UsageError
        If nothing is asked for, a name is given twice, or a fold, flagship or pretrained name is not among them.
    """
    entrants = order_entrants(models, pretrained, flagship)
    structures: dict[tuple[str, int, str], str] = {}
    cells = []
    names = [default_task(cohort.info.classes) if task == "auto" else task for task in tasks]
    for seed in unique(seeds, "seed"):
        for recipe_name, recipe in recipes.items():
            for name in unique(names, "task"):
                for split in unique(splits, "split"):
                    settings = _with(recipe, task=name, split=split, seed=seed)
                    contest = make_contest(cohort, settings)
                    for fold in _chosen(contest, only_folds):
                        for entrant in entrants:
                            full = _with(settings, model=entrant.model, pretrained=entrant.pretrained)
                            structure = _cached_structure(structures, full, len(contest.classes))
                            cells.append(Cell(contest, full, recipe_name, fold, structure))
    return cells


def _with(recipe: Recipe, **changes: Any) -> Recipe:
    try:
        return Recipe.model_validate({**recipe.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))} {first.get('input')!r}: {first['msg']}") from error


def _chosen(contest: Contest, only: Sequence[int] | None) -> list[int]:
    known = sorted(contest.roles)
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise UsageError(f"the split has folds {known}, not {unknown}")
    return known if only is None else sorted(set(only))


def _cached_structure(known: dict[tuple[str, int, str], str], recipe: Recipe, classes: int) -> str:
    key = (recipe.model, classes, json.dumps(recipe.model_options, sort_keys=True))
    if key not in known:
        known[key] = structure_digest(recipe, classes)
    teacher = recipe.for_teacher()
    return known[key] if teacher is None else f"{known[key]}+{_cached_structure(known, teacher, classes)}"


def structure_digest(recipe: Recipe, classes: int) -> str:
    """Hash of a network's modules and parameter shapes; of an estimator, which has none, its name."""
    if model_kind(recipe.model) == "estimator":
        return recipe.model
    network = create_model(recipe.model, num_classes=classes, in_chans=1, **recipe.model_options)
    shapes = [f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items()]
    return sha256_lines([repr(network), *shapes])[:16]
