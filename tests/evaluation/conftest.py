"""Predictions of an imagined study: patients, several muscles each, several shots of each muscle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

CLASSES = ("Normal", "IBM", "PM", "DM")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def make_study(
    patients: int = 40,
    *,
    seed: int = 0,
    classes: tuple[str, ...] = CLASSES,
    muscles: tuple[str, ...] = ("D", "B", "T"),
    shots: int = 2,
    folds: int = 4,
    sharpness: float = 1.0,
    patient_noise: float = 1.0,
    validation: bool = True,
) -> pd.DataFrame:
    """Every patient is tested in one fold and, with ``validation``, serves as validation patient in the next."""
    rng = np.random.default_rng(seed)
    k = len(classes)
    target = np.arange(patients) % k
    mean = patient_noise * rng.normal(size=(patients, k)) + 1.5 * np.eye(k)[target]
    rows = []
    for role, shift in [("test", 0), ("validation", 1)][: 2 if validation else 1]:
        for patient in range(patients):
            for muscle in muscles:
                for side in "LR":
                    for shot in range(shots):
                        p = softmax(sharpness * (mean[patient] + rng.normal(0, 0.7, k)))
                        name, fold = f"P{patient:03d}", (patient // k + shift) % folds
                        site = [name, muscle, side, "logiq", fold, role, classes[target[patient]]]
                        rows.append([f"{name}_{side}{muscle}{shot}", *site, *p])
    columns = ["image_id", "patient_id", "muscle", "side", "device", "fold", "role", "target"]
    return pd.DataFrame(rows, columns=[*columns, *[f"p_{name}" for name in classes]])


@pytest.fixture(scope="session")
def study() -> pd.DataFrame:
    return make_study()


@pytest.fixture(scope="session")
def make() -> Callable[..., pd.DataFrame]:
    return make_study
