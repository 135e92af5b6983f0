"""Prediction sets and decisions of the test patients, and how often they hold the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.calibration import Temperatures, calibrate_images, calibrate_patients
from myosono.evaluation.conformal import ConformalRule, coverage_range, fit_conformal, patients_needed
from myosono.evaluation.intervals import Estimate, PatientBootstrap, share_estimate
from myosono.evaluation.levels import Units
from myosono.evaluation.result import Conformal, FoldSets, PatientResult, SetFigures
from myosono.evaluation.table import Predictions

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FoldRule:
    """A fold's rule and the patients that it judges."""

    rule: ConformalRule
    tested: Units


def fold_rules(
    test: Predictions, validation: Predictions, temperatures: Mapping[str, Temperatures], alpha: float
) -> dict[str, FoldRule]:
    """The rule of each test fold, from its validation patients, with its test patients."""
    found = {}
    for fold in test.folds:
        held, tested = (_patients_of(part, fold, temperatures) for part in (validation, test))
        rule = fit_conformal(held.probabilities, held.targets, classes=test.classes, alpha=alpha)
        found[fold] = FoldRule(rule, tested)
    return found


def _patients_of(part: Predictions, fold: str, temperatures: Mapping[str, Temperatures]) -> Units:
    rows = Predictions(part.table[part.table["fold"] == fold].reset_index(drop=True), part.classes)
    return calibrate_patients(rows, calibrate_images(rows, temperatures), temperatures)


def prediction_set_section(
    test: Predictions,
    patients: Units,
    validation: Predictions,
    temperatures: Mapping[str, Temperatures],
    bootstrap: PatientBootstrap,
    alpha: float,
) -> tuple[Conformal, dict[str, Bools] | None]:
    """Prediction sets of test patients, each from the rule of the fold that tested it, and how they fared.

    A patient that several folds tested (only when the split is not by patient) gets the union of its sets.

    Parameters
    ----------
    patients
        The test patients, calibrated.

    Returns
    -------
    section, sets
        ``sets`` maps a patient to its set, shape ``(classes,)``; None without validation rows.
    """
    classes = test.classes
    own = fit_conformal(patients.probabilities, patients.targets, classes=classes, alpha=alpha)
    out_of_fold = _described(own, classes)
    if validation.table.empty:
        note = "No validation rows: no prediction sets were made."
        return Conformal(False, note, alpha, {}, out_of_fold, None, None, {}), None
    rules = fold_rules(test, validation, temperatures, alpha)
    sets: dict[str, Bools] = {}
    for found in rules.values():
        rows = found.rule.sets(found.tested.probabilities)
        for patient, row in zip(found.tested.patients, rows, strict=True):
            sets[patient] = sets[patient] | row if patient in sets else row
    stacked = np.stack([sets[patient] for patient in patients.patients])
    everybody = np.ones(len(patients), dtype=np.bool_)
    section = Conformal(
        fitted=True,
        note=_note(rules, classes, alpha),
        alpha=alpha,
        folds={fold: _described(found.rule, classes) for fold, found in rules.items()},
        out_of_fold=out_of_fold,
        coverage_range=_range(rules, alpha),
        overall=set_figures(patients, stacked, everybody, bootstrap),
        per_class={
            name: set_figures(patients, stacked, patients.targets == k, bootstrap) for k, name in enumerate(classes)
        },
    )
    return section, sets


def _described(rule: ConformalRule, classes: tuple[str, ...]) -> FoldSets:
    return FoldSets(
        kind=rule.kind,
        thresholds=dict(zip(classes, rule.thresholds, strict=True)),
        patients=dict(zip(classes, rule.patients, strict=True)),
        note=rule.note,
    )


def _note(rules: Mapping[str, FoldRule], classes: tuple[str, ...], alpha: float) -> str:
    needed, everyone = patients_needed(alpha), [one.rule for one in rules.values()]
    powerless = [fold for fold, one in rules.items() if one.rule.always_abstains]
    marginal = [rule for rule in everyone if rule.kind == "marginal"]
    found = []
    if powerless:
        found.append(
            f"Fold {', '.join(powerless)} has fewer than the {needed} validation patients that {1 - alpha:.0%} "
            "coverage needs: every class is in each of its sets."
        )
    if len(marginal) < len(everyone):
        where = f" in {len(everyone) - len(marginal)} of {len(everyone)} folds" if marginal else ""
        found.append(f"A threshold for each class{where}: the promise holds within each class.")
    if len(marginal) > len(powerless):
        least, name = min((rule.patients[k], name) for rule in marginal for k, name in enumerate(classes))
        found.append(
            "One threshold for all classes: the promise is for all patients together, perhaps less for a rare class. "
            f"A threshold for each needs {needed} validation patients of every class in a fold; {name} has {least}."
        )
    return " ".join(found)


def _range(rules: Mapping[str, FoldRule], alpha: float) -> tuple[float, ...] | None:
    """Of the fold with the fewest patients; one that always abstains covers everybody, and tells nothing."""
    marginal = [one.rule for one in rules.values() if one.rule.kind == "marginal"]
    judging = [rule for rule in marginal if not rule.always_abstains] or marginal
    fewest = min((sum(rule.patients) for rule in judging), default=None)
    return None if fewest is None else coverage_range(fewest, alpha)


def set_figures(patients: Units, sets: Bools, among: Bools, bootstrap: PatientBootstrap) -> SetFigures:
    """How the sets of some patients fared, with intervals over patients.

    Parameters
    ----------
    sets
        Shape ``(patients, classes)``.
    among
        The patients concerned, shape ``(patients,)``.
    """
    covered = sets[np.arange(len(patients)), patients.targets]
    size = sets.sum(axis=1)
    decided, narrowed = size == 1, (size > 1) & (size < sets.shape[1])
    weights = bootstrap.weights(patients.patients)

    def share(of: Bools, within: Bools) -> Estimate:
        return share_estimate(of[within], weights[:, within], int(within.sum()))

    return SetFigures(
        patients=int(among.sum()),
        coverage=share(covered, among),
        decided=share(decided, among),
        narrowed=share(narrowed, among),
        abstained=share(~decided & ~narrowed, among),
        accuracy_when_decided=share(covered, among & decided),
        mean_set_size=float(size[among].mean()) if among.any() else None,
    )


def patient_results(units: Units, classes: tuple[str, ...], sets: dict[str, Bools] | None) -> tuple[PatientResult, ...]:
    """One line per test patient, in the order of the table."""
    found = []
    for row, patient in enumerate(units.patients):
        chosen = None if sets is None else tuple(np.asarray(classes)[sets[patient]].tolist())
        found.append(
            PatientResult(
                patient_id=patient,
                target=classes[units.targets[row]],
                label=classes[units.probabilities[row].argmax()],
                probabilities=dict(zip(classes, units.probabilities[row].round(6).tolist(), strict=True)),
                images=int(units.images[row]),
                prediction_set=chosen,
            )
        )
    return tuple(found)
