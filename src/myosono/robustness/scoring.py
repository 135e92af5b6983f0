"""Figures of degraded images with paired intervals: every strength and every model in the same draws of patients."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation import Estimate, PatientBootstrap, Units, percentile_interval, score
from myosono.evaluation.calibration import BINS, calibration_draws, patient_bins
from myosono.evaluation.comparison.paired import Drawn
from myosono.pooling import apply_temperature, pool_files
from myosono.reading.decision import Evidence, PatientRule
from myosono.robustness.degradations import Degradation
from myosono.robustness.result import STRESS_LEVELS, STRESS_METRICS, StressRow

Figures = Mapping[tuple[str, str], Drawn]
"""By level and metric."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model said of all images under all conditions.

    Attributes
    ----------
    rule
        The model's patient temperature.
    probabilities
        Shape ``(conditions, images, classes)``.
    refused, doubted
        Whether the reader refuses an image, or gives a class and doubts the gain; shape ``(conditions, images)``.
    """

    model: str
    rule: PatientRule
    probabilities: NDArray[np.float64]
    refused: NDArray[np.bool_]
    doubted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The images that are scored.

    Attributes
    ----------
    patients
        Patient of each image, length ``images``.
    targets
        True class, shape ``(images,)``.
    files
        What tells an image's file from others: frames of one clip share it and count as one image of a patient.
    """

    patients: Sequence[str]
    targets: NDArray[np.intp]
    files: Sequence[Hashable]

    @property
    def people(self) -> int:
        """Patients; a person of two classes counts once for each."""
        return len(set(zip(self.patients, self.targets.tolist(), strict=True)))


def score_answers(
    answers: Sequence[Answers],
    tested: HeldOut,
    conditions: Sequence[tuple[Degradation, float]],
    *,
    resamples: int,
    seed: int,
) -> Iterator[StressRow]:
    """All figures: by model, degradation, strength, level and metric.

    Parameters
    ----------
    answers
        One per model, the model under test first.
    tested
        Patients, true classes and files of the images.
    conditions
        Degradation and strength of each row of the answers; the neutral strength of each degradation among them.
    """
    bootstrap = PatientBootstrap(tested.patients, resamples=resamples, seed=seed)
    first = [_figures(answers[0], number, tested, bootstrap) for number in range(len(conditions))]
    for one in answers:
        leading = one is answers[0]
        found = first if leading else [
            _figures(one, number, tested, bootstrap) for number in range(len(conditions))
        ]  # fmt: skip
        base = {way.name: found[number] for number, (way, at) in enumerate(conditions) if at == way.neutral}
        for number, (way, strength) in enumerate(conditions):
            refused = _refused(one.refused[number], tested.patients)
            doubted = _doubted(one.doubted[number], one.refused[number], tested)
            for level in STRESS_LEVELS:
                for metric in STRESS_METRICS:
                    drawn = found[number][level, metric]
                    yield StressRow(
                        model=one.model,
                        degradation=way.name,
                        strength=strength,
                        unchanged=strength == way.neutral,
                        level=level,
                        metric=metric,
                        units=len(tested.patients) if level == "image" else tested.people,
                        refused=refused[level],
                        doubted=doubted[level],
                        estimate=_estimate(drawn),
                        change=_estimate(drawn - base[way.name][level, metric]),
                        difference=None if leading else _estimate(first[number][level, metric] - drawn),
                    )


def _estimate(drawn: Drawn) -> Estimate:
    return percentile_interval(drawn.value, drawn.samples)


def _refused(refused: NDArray[np.bool_], patients: Sequence[str]) -> dict[str, float]:
    """Share of images, and of patients none of whose images is read."""
    read = {patient for patient, lost in zip(patients, refused.tolist(), strict=True) if not lost}
    return {"image": float(refused.mean()), "patient": 1 - len(read) / len(set(patients))}


def _doubted(doubted: NDArray[np.bool_], refused: NDArray[np.bool_], tested: HeldOut) -> dict[str, float]:
    """Share of images, and of patients of most of whose usable files the gain is doubted: these abstain."""
    usable: dict[str, set[Hashable]] = {patient: set() for patient in tested.patients}
    unseen: dict[str, set[Hashable]] = {patient: set() for patient in tested.patients}
    for row, (patient, file) in enumerate(zip(tested.patients, tested.files, strict=True)):
        if not refused[row]:
            usable[patient].add(file)
            # As the reader has it: one frame of another gain makes its clip doubtful.
            unseen[patient] |= {file} if doubted[row] else set()
    most = [Evidence(len(files), len(unseen[patient])).mostly_unseen for patient, files in usable.items()]
    return {"image": float(doubted.mean()), "patient": float(np.mean(most))}


def _figures(answers: Answers, number: int, tested: HeldOut, bootstrap: PatientBootstrap) -> Figures:
    probabilities = answers.probabilities[number]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    ones = np.ones(len(tested.patients), dtype=np.intp)
    images = Units(tuple(tested.patients), tested.targets, probabilities, ones)
    people = _patient_units(images, tested.files, answers.rule.temperature)
    return {
        **_level_figures("image", images, BINS, bootstrap),
        **_level_figures("patient", people, patient_bins(len(people)), bootstrap),
    }


def _patient_units(images: Units, files: Sequence[Hashable], temperature: float) -> Units:
    """Patients as the reader pools and calibrates them; a person of two classes counts once for each."""
    groups = list(zip(images.patients, images.targets.tolist(), strict=True))
    keys, pooled, counts = pool_files(images.probabilities, groups, files)
    return Units(
        tuple(patient for patient, _ in keys),
        np.array([target for _, target in keys], dtype=np.intp),
        apply_temperature(pooled, temperature),
        counts,
    )


def _level_figures(level: str, units: Units, bins: int, bootstrap: PatientBootstrap) -> Figures:
    point = score(units.targets, units.probabilities)
    drawn = score(units.targets, units.probabilities, bootstrap.weights(units.patients))
    found = {
        (level, metric): Drawn(float(getattr(point, metric)[0]), getattr(drawn, metric))
        for metric in ("accuracy", "balanced_accuracy", "auc")
    }
    draws = calibration_draws(units, bootstrap, bins=bins)
    return found | {(level, metric): Drawn(*draws[metric]) for metric in ("ece", "nll")}
