"""How hard the simulated cohort is, and whether splitting by image flatters as it does in life.

    PYTHONPATH=src python benchmarks/simulation_difficulty.py [--cohort FOLDER] [--scale 1.0] [--seed 0]

Four classes, five folds, three questions, answered without a network:

1. What does brightness alone give? Mean grey per patient (its mean, its spread, and the mean per muscle), random
   forest and logistic regression, patients kept apart. It should stay below 0.60 balanced accuracy.
2. What does texture add? Descriptors of depth profile, local contrast and orientation per image, random forest,
   image probabilities averaged per patient.
3. What does a leak add? The same descriptors and the same forest, with the images of a patient kept in one fold or
   dealt out to all folds, scored per image.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.cohort.store import Cohort

OUT = Path(__file__).resolve().parent / "results" / "simulation_difficulty.csv"
SIDE = 128
SCALES = (1.0, 2.0, 4.0, 8.0)


def descriptors(path: Path) -> np.ndarray:
    """Depth profile, local contrast and orientation of one image; the first value is its mean grey."""
    with Image.open(path) as stored:
        grey = np.asarray(stored.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)
    bands = grey.reshape(16, SIDE // 16, SIDE)
    profile = bands.mean((1, 2)) - grey.mean()
    parts = [np.array([grey.mean(), grey.std()]), profile, bands.std((1, 2)), np.percentile(grey, [5, 25, 75, 95])]
    for scale in SCALES:
        detail = gaussian_filter(grey, scale) - gaussian_filter(grey, 1.6 * scale)
        zones = detail.reshape(8, SIDE // 8, SIDE)
        parts += [zones.std((1, 2)), np.percentile(zones, 98, axis=(1, 2)), np.percentile(zones, 2, axis=(1, 2))]
        down, across = np.gradient(gaussian_filter(grey, scale))
        parts.append((np.abs(down) / (np.abs(down) + np.abs(across) + 1e-3)).reshape(8, -1).mean(1))
    parts.append(gaussian_filter(grey, 4.0)[4::16, 4::16].ravel() - grey.mean())
    return np.concatenate(parts)


def by_patient(table: pd.DataFrame, probabilities: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pooled = pd.DataFrame(probabilities).groupby(table.patient_id.to_numpy()).mean()
    truth = table.groupby("patient_id").label.first().loc[pooled.index].to_numpy()
    return truth, classes[pooled.to_numpy().argmax(1)]


def brightness(table: pd.DataFrame, grey: np.ndarray, seed: int) -> list[dict[str, object]]:
    """Question 1: patients described by brightness alone."""
    frame = table.assign(grey=grey)
    patients = frame.groupby("patient_id").agg(label=("label", "first"), mean=("grey", "mean"), std=("grey", "std"))
    muscles = frame.pivot_table(index="patient_id", columns="muscle", values="grey").add_prefix("mean_")
    muscles = muscles.apply(lambda column: column.fillna(column.mean()))
    rows = []
    for inputs, values in (
        ("mean grey", patients[["mean"]]),
        ("mean grey, spread, per muscle", patients[["mean", "std"]].join(muscles)),
    ):
        models = {
            "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
            "random forest": RandomForestClassifier(150, class_weight="balanced", min_samples_leaf=2, random_state=0),
        }
        for name, model in models.items():
            scores = []
            for repeat in range(3):
                folds = StratifiedKFold(5, shuffle=True, random_state=seed + repeat)
                predicted = np.empty(len(values), dtype=object)
                for train, test in folds.split(values, patients.label):
                    model.fit(values.iloc[train].to_numpy(), patients.label.iloc[train])
                    predicted[test] = model.predict(values.iloc[test].to_numpy())
                scores.append(score(patients.label.to_numpy(), predicted))
            accuracy, balanced = np.mean(scores, axis=0)
            rows.append(row(inputs, name, "patient", "patient", accuracy, balanced))
    return rows


def texture(table: pd.DataFrame, values: np.ndarray, seed: int) -> list[dict[str, object]]:
    """Questions 2 and 3: descriptors per image, with folds of patients and folds of images."""
    labels, groups = table.label.to_numpy(), table.patient_id.to_numpy()
    muscles = pd.get_dummies(table.muscle).to_numpy(dtype=np.float32)
    values = np.hstack([values, muscles])
    rows = []
    for split, folds in (
        ("patient", StratifiedGroupKFold(5, shuffle=True, random_state=seed)),
        ("image", StratifiedKFold(5, shuffle=True, random_state=seed)),
    ):
        classes = np.unique(labels)
        probabilities = np.zeros((len(labels), len(classes)))
        for train, test in folds.split(values, labels, groups if split == "patient" else None):
            forest = ExtraTreesClassifier(300, class_weight="balanced", min_samples_leaf=1, random_state=0, n_jobs=2)
            probabilities[test] = forest.fit(values[train], labels[train]).predict_proba(values[test])
        name = "texture descriptors"
        rows.append(row(name, "extra trees", split, "image", *score(labels, classes[probabilities.argmax(1)])))
        rows.append(row(name, "extra trees", split, "patient", *score(*by_patient(table, probabilities, classes))))
    return rows


def score(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    return float(accuracy_score(truth, predicted)), float(balanced_accuracy_score(truth, predicted))


def row(inputs: str, model: str, split: str, level: str, accuracy: float, balanced: float) -> dict[str, object]:
    return {
        "inputs": inputs,
        "classifier": model,
        "split_by": split,
        "scored_per": level,
        "accuracy": round(accuracy, 3),
        "balanced_accuracy": round(balanced, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", type=Path, help="a simulated cohort; otherwise one is made and removed again")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.cohort is None:
            cohort = simulate_cohort(SimulationConfig(scale=arguments.scale, seed=arguments.seed), scratch)
        else:
            cohort = Cohort.open(arguments.cohort)
        files = [cohort.folder / file for file in cohort.table.file]
        values = np.array(Parallel(n_jobs=2)(delayed(descriptors)(file) for file in files))
    result = pd.DataFrame(
        brightness(cohort.table, values[:, 0], arguments.seed) + texture(cohort.table, values, arguments.seed)
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result.to_csv(arguments.out, index=False, lineterminator="\n")
    print(result.to_string(index=False))


if __name__ == "__main__":
    main()
