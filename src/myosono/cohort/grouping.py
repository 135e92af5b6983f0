"""How patients are dealt to folds and to validation, so that each class is present everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from myosono.errors import SplitError

MAX_SEED = 2**31 - 1
"""The generators of numpy and scikit-learn take 32 bits; attempts and ensembles add to the seed."""

_ATTEMPTS = 20


def tested_by_patient(patients: pd.Series[Any], targets: pd.Series[Any], folds: int, seed: int) -> pd.Series[Any]:
    """Number of the fold that tests each image, with no patient in two folds and each class in each fold.

    StratifiedGroupKFold balances images but does not promise that each class reaches each fold; where 20 shuffles
    of it all miss one, patients are dealt class by class instead.

    Raises
    ------
    SplitError
        A class has fewer patients than folds, or too few to leave one each for training and validation.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    main = main_target(patients, targets)
    wanted = set(targets)
    _require_patients(main, wanted, folds)
    for attempt in range(_ATTEMPTS):
        splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed + 1_000_003 * attempt)
        tested = pd.Series(-1, index=targets.index)
        for fold, (_, test) in enumerate(splitter.split(targets, targets, groups=patients)):
            tested.iloc[test] = fold
        if _complete(tested, targets, main, patients, folds, wanted):
            return tested
    return patients.map(_deal(main, folds, np.random.default_rng(seed)))


def tested_by_image(targets: pd.Series[Any], folds: int, seed: int) -> pd.Series[Any]:
    """Number of the fold that tests each image, stratified by target, patients ignored.

    Raises
    ------
    SplitError
        A class has fewer images than folds, or too few to leave one each for training and validation.
    """
    from sklearn.model_selection import StratifiedKFold

    for name, count in targets.value_counts().sort_index().items():
        if count < max(folds, 3) or count - -(-count // folds) < 2:
            raise _too_few(str(name), int(count), folds, "image")
    tested = pd.Series(-1, index=targets.index)
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(splitter.split(targets, targets)):
        tested.iloc[test] = fold
    return tested


def carve_validation(
    groups: pd.Series[Any], targets: pd.Series[Any], fraction: float, rng: np.random.Generator
) -> set[str]:
    """Groups that validate: about ``fraction`` of each class, at least one, and never the last one of a class."""
    main = main_target(groups, targets)
    chosen: set[str] = set()
    for _, members in sorted(_by_class(main).items()):
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        chosen.update(members[index] for index in rng.permutation(len(members))[:count])
    return chosen


def main_target(groups: pd.Series[Any], targets: pd.Series[Any]) -> pd.Series[Any]:
    """The most frequent target of each group (ties by name), sorted by group, so that row order is immaterial."""
    counts = pd.DataFrame({"group": groups, "target": targets}).value_counts().rename("images").reset_index()
    counts = counts.sort_values(["group", "images", "target"], ascending=[True, False, True])
    return counts.drop_duplicates("group").set_index("group")["target"]


def _by_class(main: pd.Series[Any]) -> dict[str, list[str]]:
    return {str(name): [str(group) for group in members.index] for name, members in main.groupby(main)}


def _require_patients(main: pd.Series[Any], wanted: set[str], folds: int) -> None:
    for name in sorted(wanted):
        count = int((main == name).sum())
        # The fullest fold may test ceil(n / folds) patients; two must remain, to train and to validate.
        if count < folds or count - -(-count // folds) < 2:
            raise _too_few(name, count, folds, "patient")


def _too_few(name: str, count: int, folds: int, unit: str) -> SplitError:
    possible = max((k for k in range(2, count + 1) if count - -(-count // k) >= 2), default=0)
    remedy = f"Use --folds {possible}" if 2 <= possible < folds else f"Leave the class out, or add {unit}s"
    return SplitError(
        f"class {name!r} has {count} {unit}{'' if count == 1 else 's'}, too few for {folds} folds that each need it "
        "in train, validation and test",
        remedy=remedy,
    )


def _complete(
    tested: pd.Series[Any],
    targets: pd.Series[Any],
    main: pd.Series[Any],
    patients: pd.Series[Any],
    folds: int,
    wanted: set[str],
) -> bool:
    fold_of_patient = tested.groupby(patients).first().reindex(main.index)
    for fold in range(folds):
        if set(targets[tested == fold]) != wanted:
            return False
        left = main[fold_of_patient != fold].value_counts()
        if left.reindex(sorted(set(main)), fill_value=0).min() < 2:
            return False
    return True


def _deal(main: pd.Series[Any], folds: int, rng: np.random.Generator) -> dict[str, int]:
    dealt: dict[str, int] = {}
    turn = 0
    for _, members in sorted(_by_class(main).items()):
        for index in rng.permutation(len(members)):
            dealt[members[index]] = turn % folds
            turn += 1
    return dealt
