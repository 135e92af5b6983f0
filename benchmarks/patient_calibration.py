"""What the patient temperature mends: honest images, pooled, are too cautious about patients.

Usage: python benchmarks/patient_calibration.py [--repeats 300] [--out benchmarks/results/patient_calibration.csv]

The simulated cohorts and folds of conformal_coverage.py. Patients' negative log-likelihood and calibration error over
the test patients of all folds: as the networks gave them, with images calibrated, and with patients calibrated too.
Beside them: the error that perfectly honest probabilities would show by chance, and the mean patient temperature.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from conformal_coverage import CLASSES, FOLDS, SCENARIOS, VALIDATION, Network, Scenario, draw_targets

from myosono.evaluation import Units, apply_temperature, fit_patient_temperature, fit_temperature, reliability_bins
from myosono.evaluation.calibration import (
    chance_error,
    expected_calibration_error,
    negative_log_likelihood,
    patient_bins,
)
from myosono.progress import track

OUT = Path(__file__).parent / "results" / "patient_calibration.csv"
STAGES = ("as given", "images calibrated", "patients calibrated")


def cohort(rng: np.random.Generator, scenario: Scenario) -> list[float]:
    test_size = scenario.patients // FOLDS
    validation_size = round(VALIDATION * (scenario.patients - test_size))
    found: dict[str, list[np.ndarray]] = {stage: [] for stage in STAGES}
    targets, temperatures = [], []
    for _ in range(FOLDS):
        network = Network(rng)
        held, test = (network.read(rng, draw_targets(rng, size), scenario) for size in (validation_size, test_size))
        people = np.arange(validation_size).repeat(held.counts).astype(str).tolist()
        image = fit_temperature(held.images, held.targets.repeat(held.counts), people)
        patient = fit_patient_temperature(held.pooled(image), held.targets)
        stages = (test.pooled(), test.pooled(image), apply_temperature(test.pooled(image), patient))
        for stage, values in zip(STAGES, stages, strict=True):
            found[stage].append(values)
        targets.append(test.targets)
        temperatures.append(patient)
    truth, bins, values = np.concatenate(targets), patient_bins(scenario.patients), []
    for stage in STAGES:
        p = np.concatenate(found[stage])
        values += [negative_log_likelihood(p, truth), expected_calibration_error(reliability_bins(p, truth, bins=bins))]
    names = tuple(map(str, range(len(truth))))
    units = Units(names, truth, p, np.ones(len(truth), dtype=np.intp))
    return [*values, float(chance_error(units, bins=bins).value or 0), float(np.mean(temperatures))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, help="simulated cohorts of each scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    rows = []
    for number, scenario in enumerate(SCENARIOS):
        rng = np.random.default_rng([arguments.seed, number])
        mean = np.mean([cohort(rng, scenario) for _ in track(range(arguments.repeats), scenario.name)], axis=0).round(4)
        columns = [f"{metric}, {stage}" for stage in STAGES for metric in ("nll", "ece")]
        rows.append(
            {"scenario": scenario.name, "classes": len(CLASSES)}
            | dict(zip([*columns, "ece by chance", "patient temperature"], mean.tolist(), strict=True))
            | {"repeats": arguments.repeats}
            | {"command": f"python benchmarks/patient_calibration.py --repeats {arguments.repeats}"}
        )
    table = pd.DataFrame(rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out, index=False, lineterminator="\n")
    print(table.drop(columns=["command", "classes"]).to_string(index=False))


if __name__ == "__main__":
    main()
