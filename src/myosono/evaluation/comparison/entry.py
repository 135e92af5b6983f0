"""What is compared: one network's test predictions under one condition and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from myosono.errors import PredictionsError
from myosono.evaluation.calibration import Temperatures, calibrate_images, calibrate_patients, fit_temperatures
from myosono.evaluation.levels import Level, Units
from myosono.evaluation.table import Predictions


@dataclass(frozen=True, order=True)
class Contender:
    """A network with its start and its recipe."""

    model: str
    pretrained: bool = False
    recipe: str = "default"

    def label(self, *, recipe: bool = False) -> str:
        """For tables and figures; the recipe only where several are compared.

        Examples
        --------
        >>> Contender("lcnet_050", True, "sgd_step").label(recipe=True)
        'lcnet_050 (pretrained) · sgd_step'
        """
        return self.model + (" (pretrained)" if self.pretrained else "") + (f" · {self.recipe}" if recipe else "")


UNKNOWN_SPLIT = "unknown"
"""Split of a condition whose predictions do not tell on whom their tools were trained."""
AS_GIVEN = "as given"
"""Task of a condition whose predictions were handed in; the seeds of their tools are not known."""


@dataclass(frozen=True, order=True)
class Condition:
    """What all contenders are measured on; ``leaks`` where patients stand on both sides of the split.

    Seeds may differ in whether they leak, where most patients have one image: they are one condition all the same.
    """

    cohort: str
    task: str
    split: str
    leaks: bool = field(default=False, compare=False)

    def label(self) -> str:
        """For titles."""
        return f"{self.cohort} · {self.task} · {self.split} split"


@dataclass(frozen=True, eq=False)
class Entry:
    """Test predictions of one contender under one condition and seed, all finished folds together.

    Attributes
    ----------
    images
        Test rows, image probabilities at their fold's temperature.
    patient_temperatures
        By fold, for patients pooled from these.
    of_folds
        Folds of the split, finished or not.
    """

    contender: Contender
    condition: Condition
    seed: int
    images: Predictions
    patient_temperatures: Mapping[str, float]
    of_folds: int

    def units(self, level: Level, kept: NDArray[np.bool_] | None = None) -> Units:
        """Images or patients to score, of all rows or of some."""
        part = self.images
        if kept is not None and not kept.all():
            part = Predictions(part.table[kept].reset_index(drop=True), part.classes)
        probabilities = part.probabilities
        if level == "image":
            patients = tuple(part.table["patient_id"].tolist())
            return Units(patients, part.targets, probabilities, np.ones(len(part.table), dtype=np.intp))
        # The images' temperature is in their probabilities already.
        folds = {fold: Temperatures(1.0, value) for fold, value in self.patient_temperatures.items()}
        return calibrate_patients(part, probabilities, folds)


def pairing_columns(first: Predictions, second: Predictions) -> list[str]:
    """What tells which rows of two tools are a pair.

    Where both test every image once it is the image, whatever the folds are called: fold 1 of 2 is not fold 1 of 4.
    Where an image is tested in several folds, as in published or repeated ones, it is fold and image.
    """
    once = all(predictions.table["image_id"].is_unique for predictions in (first, second))
    return ["image_id"] if once else ["fold", "image_id"]


Grouped = Mapping[tuple[Contender, Condition], Mapping[int, Entry]]
"""Entries by contender and condition, then by seed."""


def make_entry(
    contender: Contender, condition: Condition, seed: int, predictions: Predictions, *, of_folds: int
) -> Entry:
    """Calibrate test rows as :func:`myosono.evaluation.evaluate` does, on each fold's validation rows.

    Raises
    ------
    PredictionsError
        If there are no test rows.
    """
    test = predictions.rows("test")
    if test.table.empty:
        raise PredictionsError("column role holds no 'test' row: nothing to compare", path=predictions.source)
    temperatures = fit_temperatures(predictions)
    table = test.table.copy()
    table[[f"p_{name}" for name in test.classes]] = calibrate_images(test, temperatures)
    of_patients = {fold: found.patient for fold, found in temperatures.items()}
    return Entry(contender, condition, seed, Predictions(table, test.classes), of_patients, of_folds)
