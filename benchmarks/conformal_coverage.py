"""Do patients' prediction sets keep their promise of 90 %? Repeated simulation of clustered patients.

Usage: python benchmarks/conformal_coverage.py [--repeats 1000] [--out benchmarks/results/conformal_coverage.csv]

Simulated probabilities, no images: a patient has a tendency of its own that all its images share, and each image
adds its noise. Every repetition is a cohort in five patient-level folds; every fold's network has its own sharpness
and its own errors, its temperatures and thresholds come from its validation patients, and coverage is taken over the
test patients of all folds together, as in `myosono train`. ``keeps_promise``: not below it by more than two standard
errors. Rules:

patient             as myosono does: one threshold per fold from validation patients
patient, no fit     the same without temperatures, so that calibration patients are used once only
patient, by class   a threshold for each class (those with too few patients are never excluded)
out of fold         one threshold from the test patients of all folds, applied to new patients of one fold's network
rows are images     the error to avoid: a patient's score counted once for each of its images
image               the error to avoid: threshold from image probabilities, applied to images of new patients
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from myosono.evaluation import apply_temperature, fit_conformal, fit_patient_temperature, fit_temperature
from myosono.evaluation.conformal import conformal_quantile
from myosono.progress import track

OUT = Path(__file__).parent / "results" / "conformal_coverage.csv"
CLASSES = ("Normal", "IBM", "PM", "DM")
SHARES = np.array([33, 19, 14, 14]) / 80  # of the Johns Hopkins set
FOLDS, VALIDATION, NEW, ALPHA = 5, 0.2, 200, 0.1

Floats = NDArray[np.float64]
Judged = tuple[str, NDArray[np.bool_], NDArray[np.intp]]


@dataclass(frozen=True)
class Scenario:
    """Patients of the cohort, the range of images of each, and how much of an image's error its patient shares."""

    name: str
    patients: int
    images: tuple[int, int]
    shared: float


SCENARIOS = (
    Scenario("80 patients, 20-60 images", 80, (20, 60), 0.8),
    Scenario("80 patients, 1-60 images, patient's error all there is", 80, (1, 60), 1.0),
    Scenario("80 patients, 20-60 images, weakly clustered", 80, (20, 60), 0.3),
    Scenario("400 patients, 20-60 images", 400, (20, 60), 0.8),
)


@dataclass(frozen=True)
class Patients:
    """Image probabilities of some patients; ``first`` is where each patient's rows begin."""

    images: Floats
    first: NDArray[np.intp]
    targets: NDArray[np.intp]

    @property
    def counts(self) -> NDArray[np.intp]:
        return np.diff(np.r_[self.first, len(self.images)])

    def pooled(self, temperature: float = 1.0) -> Floats:
        return np.add.reduceat(apply_temperature(self.images, temperature), self.first) / self.counts[:, None]


class Network:
    """One fold's network: its own sharpness and its own bias for each class."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.sharpness = float(np.exp(rng.normal(0.3, 0.4)))
        self.bias = rng.normal(0, 0.3, len(CLASSES))

    def read(self, rng: np.random.Generator, targets: NDArray[np.intp], scenario: Scenario) -> Patients:
        k, n = len(CLASSES), len(targets)
        counts = rng.integers(scenario.images[0], scenario.images[1] + 1, n)
        mean = 1.6 * np.eye(k)[targets] + np.sqrt(scenario.shared) * rng.normal(0, 1.2, (n, k)) + self.bias
        noise = np.sqrt(1 - scenario.shared) * rng.normal(0, 1.2, (counts.sum(), k))
        logits = self.sharpness * (mean.repeat(counts, axis=0) + noise)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        first = np.r_[0, counts.cumsum()[:-1]]
        return Patients(powers / powers.sum(axis=1, keepdims=True), first, targets)


def draw_targets(rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    return rng.choice(len(CLASSES), count, p=SHARES)


def sets_of(held: Floats, targets: NDArray[np.intp], new: Floats, kind: str) -> NDArray[np.bool_]:
    return fit_conformal(held, targets, classes=CLASSES, alpha=ALPHA, kind=kind).sets(new)


def repetition(
    rng: np.random.Generator, scenario: Scenario
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.intp]]]:
    """Rule, sets, and targets of what was judged; several of each rule, one for each fold."""
    test_size = scenario.patients // FOLDS
    validation_size = round(VALIDATION * (scenario.patients - test_size))
    pooled_scores, last = [], None
    for _ in range(FOLDS):
        network = Network(rng)
        held, test = (network.read(rng, draw_targets(rng, size), scenario) for size in (validation_size, test_size))
        people = np.arange(validation_size).repeat(held.counts)
        image = fit_temperature(held.images, held.targets.repeat(held.counts), people.astype(str).tolist())
        patient = fit_patient_temperature(held.pooled(image), held.targets)
        fitted, new = (apply_temperature(part.pooled(image), patient) for part in (held, test))
        yield "patient", sets_of(fitted, held.targets, new, "marginal"), test.targets
        yield "patient, no fit", sets_of(held.pooled(), held.targets, test.pooled(), "marginal"), test.targets
        yield "patient, by class", sets_of(fitted, held.targets, new, "class_conditional"), test.targets
        yield "rows are images", sets_of(fitted[people], held.targets[people], new, "marginal"), test.targets
        single = apply_temperature(held.images, image)
        judged = apply_temperature(test.images, image)
        yield (
            "image",
            sets_of(single, held.targets[people], judged, "marginal"),
            test.targets.repeat(test.counts),
        )
        pooled_scores.append(1 - new[np.arange(test_size), test.targets])
        last = network, image, patient
    network, image, patient = last
    deployed = network.read(rng, draw_targets(rng, NEW), scenario)
    threshold = conformal_quantile(np.concatenate(pooled_scores), ALPHA)
    yield "out of fold", 1 - apply_temperature(deployed.pooled(image), patient) <= threshold, deployed.targets


def judge(scenario: Scenario, repeats: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng([seed, SCENARIOS.index(scenario)])
    gathered: dict[str, list[list[float]]] = {}
    for _ in track(range(repeats), scenario.name):
        cohort: dict[str, list[tuple[NDArray[np.bool_], NDArray[np.intp]]]] = {}
        for rule, sets, targets in repetition(rng, scenario):
            cohort.setdefault(rule, []).append((sets, targets))
        for rule, parts in cohort.items():
            sets, targets = (np.concatenate(both) for both in zip(*parts, strict=True))
            gathered.setdefault(rule, []).append(figures(sets, targets))
    return [row(scenario, rule, np.array(found), repeats, seed) for rule, found in gathered.items()]


def figures(sets: NDArray[np.bool_], targets: NDArray[np.intp]) -> list[float]:
    size, covered = sets.sum(axis=1), sets[np.arange(len(targets)), targets]
    by_class = [covered[targets == k].mean() if (targets == k).any() else np.nan for k in range(len(CLASSES))]
    decided, all_or_none = (size == 1).mean(), ((size == 0) | (size == len(CLASSES))).mean()
    return [covered.mean(), size.mean(), decided, all_or_none, *by_class]


def row(scenario: Scenario, rule: str, found: Floats, repeats: int, seed: int) -> dict[str, object]:
    mean, error = np.nanmean(found, axis=0), found[:, 0].std(ddof=1) / np.sqrt(repeats)
    return {
        "scenario": scenario.name,
        "rule": rule,
        "judged_per": "image" if rule == "image" else "patient",
        "promised": 1 - ALPHA,
        "coverage": round(float(mean[0]), 4),
        "coverage_se": round(float(error), 4),
        "keeps_promise": bool(mean[0] + 2 * error >= 1 - ALPHA),
        "lowest_class_coverage": round(float(mean[4:].min()), 4),
        "mean_set_size": round(float(mean[1]), 3),
        "single_class": round(float(mean[2]), 3),
        "abstains": round(float(mean[3]), 3),
        "repeats": repeats,
        "command": f"python benchmarks/conformal_coverage.py --repeats {repeats} --seed {seed}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000, help="simulated cohorts of each scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        sys.exit("--repeats must be 2 or more")
    table = pd.DataFrame(
        [line for scenario in SCENARIOS for line in judge(scenario, arguments.repeats, arguments.seed)]
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out, index=False, lineterminator="\n")
    print(table.drop(columns="command").to_string(index=False))


if __name__ == "__main__":
    main()
