"""The sections of an evaluation, each from test rows and their calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from myosono.anatomy import MUSCLES
from myosono.evaluation import calibration as cal
from myosono.evaluation.intervals import Estimate, PatientBootstrap, percentile_interval, share_interval
from myosono.evaluation.levels import Units, units_at
from myosono.evaluation.metrics import Scores, roc_curve, score
from myosono.evaluation.result import (
    METRICS,
    Calibration,
    CalibrationLevel,
    ClassMetrics,
    Counts,
    FoldMetrics,
    LevelMetrics,
    MuscleMetrics,
    ReliabilityBin,
    RocCurve,
    Spread,
)
from myosono.evaluation.table import Predictions

Floats = NDArray[np.float64]


def count(test: Predictions, validation: Predictions) -> Counts:
    """How many images and patients were tested and validated on."""
    first = test.table.drop_duplicates("patient_id")
    return Counts(
        images=len(test.table),
        patients=len(first),
        folds=len(test.folds),
        validation_images=len(validation.table),
        validation_patients=validation.table["patient_id"].nunique(),
        patients_per_class={name: int((first["target"] == name).sum()) for name in test.classes},
    )


def _estimates(units: Units, bootstrap: PatientBootstrap) -> tuple[dict[str, Estimate], Scores, Scores]:
    point = score(units.targets, units.probabilities)
    drawn = score(units.targets, units.probabilities, bootstrap.weights(units.patients))
    summary = {name: percentile_interval(getattr(point, name)[0], getattr(drawn, name)) for name in METRICS}
    summary["accuracy"] = share_interval(point.accuracy[0], drawn.accuracy, len(set(units.patients)))
    return summary, point, drawn


def _patients_with(units: Units, rows: NDArray[np.bool_]) -> int:
    return len({units.patients[row] for row in np.flatnonzero(rows).tolist()})


def level_metrics(units: Units, classes: tuple[str, ...], bootstrap: PatientBootstrap) -> LevelMetrics:
    """All metrics of one level with intervals."""
    summary, point, drawn = _estimates(units, bootstrap)

    def share(name: str, k: int, among: NDArray[np.bool_]) -> Estimate:
        value, draws = getattr(point, name)[0, k], getattr(drawn, name)[:, k]
        return share_interval(value, draws, _patients_with(units, among))

    per_class = {
        name: ClassMetrics(
            support=int((units.targets == k).sum()),
            sensitivity=share("sensitivity", k, units.targets == k),
            specificity=share("specificity", k, units.targets != k),
            auc=percentile_interval(point.class_auc[0, k], drawn.class_auc[:, k]),
        )
        for k, name in enumerate(classes)
    }
    curves = {name: roc_curve(units.targets == k, units.probabilities[:, k]) for k, name in enumerate(classes)}
    return LevelMetrics(
        units=len(units),
        patients=len(set(units.patients)),
        **summary,
        per_class=per_class,
        confusion=tuple(tuple(int(cell) for cell in row) for row in point.confusion[0]),
        roc={name: RocCurve(_rounded(false), _rounded(true)) for name, (false, true) in curves.items()},
    )


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(values.round(5).tolist())


def _part(units: Units, rows: NDArray[np.bool_]) -> Units:
    patients = tuple(patient for patient, inside in zip(units.patients, rows, strict=True) if inside)
    return Units(patients, units.targets[rows], units.probabilities[rows], units.images[rows])


def muscle_metrics(test: Predictions, calibrated: Floats, bootstrap: PatientBootstrap) -> tuple[MuscleMetrics, ...]:
    """Metrics of each muscle's images; rows without a muscle are left out."""
    images = units_at("image", test, calibrated)
    found = []
    for muscle in test.table["muscle"].unique():
        if not muscle:
            continue
        part = _part(images, (test.table["muscle"] == muscle).to_numpy())
        summary, _, _ = _estimates(part, bootstrap)
        found.append(MuscleMetrics(muscle, len(part), len(set(part.patients)), **summary))
    protocol = list(MUSCLES)
    return tuple(
        sorted(found, key=lambda part: (protocol.index(part.muscle) if part.muscle in MUSCLES else 99, part.muscle))
    )


def fold_metrics(
    test: Predictions, calibrated: Floats, validation: Predictions, temperatures: Mapping[str, cal.Temperatures]
) -> tuple[FoldMetrics, ...]:
    """Each fold alone, at image and patient level."""
    found = []
    for fold in test.folds:
        rows = (test.table["fold"] == fold).to_numpy()
        part = Predictions(test.table[rows].reset_index(drop=True), test.classes)
        patients, used = cal.calibrate_patients(part, calibrated[rows], temperatures), temperatures.get(fold)
        validated = validation.table.loc[validation.table["fold"] == fold, "patient_id"].nunique()
        image = _summary(units_at("image", part, calibrated[rows]))
        found.append(
            FoldMetrics(
                fold=fold,
                temperature=None if used is None else used.image,
                patient_temperature=None if used is None else used.patient,
                images=int(rows.sum()),
                patients=len(patients),
                validation_patients=validated,
                image=image,
                patient=_summary(patients),
            )
        )
    return tuple(found)


def _summary(units: Units) -> dict[str, float | None]:
    point = score(units.targets, units.probabilities)
    values = {name: float(getattr(point, name)[0]) for name in METRICS}
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def fold_spread(folds: tuple[FoldMetrics, ...]) -> dict[str, dict[str, Spread]]:
    """Mean and sample standard deviation over folds, at image and patient level."""

    def spread(values: list[float | None]) -> Spread:
        known = [value for value in values if value is not None]
        mean = float(np.mean(known)) if known else None
        return Spread(mean, float(np.std(known, ddof=1)) if len(known) > 1 else None)

    return {
        "image": {name: spread([fold.image[name] for fold in folds]) for name in METRICS},
        "patient": {name: spread([fold.patient[name] for fold in folds]) for name in METRICS},
    }


def calibration_section(
    test: Predictions,
    calibrated: Floats,
    patients: Units,
    temperatures: Mapping[str, cal.Temperatures],
    bootstrap: PatientBootstrap,
) -> Calibration:
    """Calibration of test probabilities before and after the temperatures, of images and of patients."""
    used = {fold: temperatures[fold] for fold in test.folds if fold in temperatures}
    note = (
        "Two temperatures per fold, fitted on that fold's validation patients: one for images, one for the patients "
        "that they are pooled to."
        if used
        else "No validation rows: no temperature was fitted, and the probabilities are as the network gave them."
    )
    images = _calibration_level(units_at("image", test), units_at("image", test, calibrated), bootstrap, cal.BINS)
    bins = cal.patient_bins(len(patients))
    pooled = cal.calibration_scores(units_at("patient", test, calibrated), bootstrap, bins=bins)
    level = _calibration_level(units_at("patient", test), patients, bootstrap, bins)
    return Calibration(
        fitted=bool(used),
        note=note,
        judging=cal.judging_note(patients),
        temperatures={fold: both.image for fold, both in used.items()},
        patient_temperatures={fold: both.patient for fold, both in used.items()},
        image=images,
        patient=replace(
            level,
            image_temperature_only=pooled,
            error_by_chance=cal.chance_error(patients, bins=bins, seed=bootstrap.seed),
        ),
    )


def _calibration_level(before: Units, after: Units, bootstrap: PatientBootstrap, bins: int) -> CalibrationLevel:
    def reliability(units: Units) -> tuple[ReliabilityBin, ...]:
        return cal.reliability_bins(
            units.probabilities, units.targets, bins=bins, patients=units.patients, bootstrap=bootstrap
        )

    return CalibrationLevel(
        before=cal.calibration_scores(before, bootstrap, bins=bins),
        after=cal.calibration_scores(after, bootstrap, bins=bins),
        reliability_before=reliability(before),
        reliability_after=reliability(after),
    )
