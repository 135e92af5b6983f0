"""What a reader is told before and after calibration on a cohort of its own, measured on a third one.

Run from the root of the repository, with the suite's simulated cohort under ``cohorts/``:

    OMP_NUM_THREADS=1 python benchmarks/calibration_cohort.py MODEL.onnx

Simulates ``cohorts/simulated_calibration`` (seed 101, 80 patients) and ``cohorts/simulated_evidence`` (seed 202, 40
patients) where they are missing, recalibrates MODEL on the first, and reads every patient of the second with both
files, exactly as ``Reader`` does. Writes ``build/recalibrated.onnx`` and ``benchmarks/results/calibration_cohort.csv``;
with ``--ship`` the new file takes the place of the model inside the package, if it is better. MODEL is the one inside
the package by default.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from myosono.cohort import Cohort
from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.evaluation import PatientBootstrap
from myosono.evaluation.intervals import share_estimate
from myosono.export import recalibrate
from myosono.progress import track
from myosono.reading import Reader, embedded_model, load
from myosono.reading.result import PatientReading

ROOT = Path(__file__).resolve().parents[1]
COHORTS = {
    "simulated_calibration": SimulationConfig(seed=101),
    "simulated_evidence": SimulationConfig(seed=202, patients={"Normal": 16, "IBM": 10, "PM": 7, "DM": 7}),
}
IMAGES = 4
"""Of each calibration patient: studies of four images are common, and the promise holds from there on only."""

RESAMPLES = 1000
PROMISED = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=embedded_model())
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "calibration_cohort.csv")
    parser.add_argument("--ship", action="store_true", help="Replace the model inside the package, if it is better.")
    arguments = parser.parse_args()
    calibration, evidence = (cohort(name, config) for name, config in COHORTS.items())
    made = ROOT / "build" / "recalibrated.onnx"
    recalibrate(
        arguments.model,
        calibration,
        made,
        trained_on=Cohort.open(ROOT / "cohorts" / "simulated"),
        evidence=evidence,
        limit=IMAGES,
    )
    rows = [
        row
        for name, path in (("before", arguments.model), ("after", made))
        for images in (IMAGES, None)
        for row in measure(name, path, evidence, images)
    ]
    with arguments.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(" ".join(str(value) for value in row.values()))
    if arguments.ship:
        ship(made, rows)


def cohort(name: str, config: SimulationConfig) -> Cohort:
    folder = ROOT / "cohorts" / name
    if not (folder / "cohort.json").exists():
        simulate_cohort(config, folder)
    return Cohort.open(folder)


def measure(name: str, path: Path, evidence: Cohort, images: int | None) -> list[dict[str, Any]]:
    """Shares of patients, of all and by true class, with 95 % intervals over patients."""
    reader = load(path, threads=1)
    labels = evidence.table.groupby("patient_id")["label"].first()
    told = {str(patient): read(reader, evidence, str(patient), images) for patient in track(labels.index, name)}
    rows = []
    for group in ("all", *reader.artefact.classes):
        patients = [patient for patient in told if group in ("all", labels[patient])]
        bootstrap = PatientBootstrap(patients, resamples=RESAMPLES)
        weights = bootstrap.weights(patients)
        answers = [told[patient] for patient in patients]
        sizes = np.array([len(one.prediction_set) for one in answers])
        held = np.array([labels[one.patient_id] in one.prediction_set for one in answers])
        single = sizes == 1
        parts = {
            "coverage": held,
            "one class": single,
            "several": (sizes > 1) & (sizes < len(reader.artefact.classes)),
            "abstains": (sizes == 0) | (sizes == len(reader.artefact.classes)),
        }
        found = {key: share_estimate(holds, weights, len(patients)) for key, holds in parts.items()}
        right = weights[:, single]
        found["right where one class"] = share_estimate(held[single], right, max(int(single.sum()), 1))
        rows += [
            {
                "file": name,
                "images": images or "all",
                "patients": group,
                "number": len(patients),
                "figure": key,
                **{part: None if (v := getattr(one, part)) is None else round(v, 4) for part in ("value", "lo", "hi")},
            }
            for key, one in found.items()
        ]
        if group == "all":
            rows.append(log_loss(name, images, answers, labels))
    return rows


def log_loss(name: str, images: int | None, answers: list[PatientReading], labels: Any) -> dict[str, Any]:
    """Mean negative log-likelihood of patients' probabilities, nats; of those that were read at all."""
    given = [one.probabilities[labels[one.patient_id]] for one in answers if one.probabilities]
    value = round(float(-np.log(np.clip(given, 1e-12, None)).mean()), 4)
    about = {"file": name, "images": images or "all", "patients": "all", "number": len(given), "figure": "log loss"}
    return {**about, "value": value, "lo": None, "hi": None}


def read(reader: Reader, evidence: Cohort, patient: str, images: int | None) -> PatientReading:
    names = evidence.table.loc[evidence.table["patient_id"] == patient, "image_id"].sort_values()
    if images is not None:
        names = names.sample(images, random_state=0)
    reading = reader.read([evidence.image(str(name)) for name in names], patient_id=patient)
    (found,) = reading.patients
    return found


def ship(made: Path, rows: list[dict[str, Any]]) -> None:
    """Better: more patients get one class, coverage still holds the promise, probabilities are no worse."""
    value = {(row["file"], row["patients"], row["figure"]): row for row in rows if row["images"] == "all"}
    before, after = (
        {key: value[name, "all", key] for key in ("coverage", "one class", "log loss")} for name in ("before", "after")
    )
    better = (
        after["one class"]["value"] > before["one class"]["value"]
        and after["coverage"]["hi"] >= PROMISED
        and after["log loss"]["value"] <= before["log loss"]["value"]
    )
    if not better:
        sys.exit("not better: the model inside the package is left as it was")
    shutil.copyfile(made, embedded_model())


if __name__ == "__main__":
    main()
