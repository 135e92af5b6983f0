"""The three levels at which a study is judged: image, muscle (of one side of one patient), patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from myosono.evaluation.table import Predictions
from myosono.pooling import file_keys, pool_files

Level = Literal["image", "muscle", "patient"]
LEVELS: tuple[Level, ...] = get_args(Level)
_UNIT = {"muscle": ["patient_id", "muscle", "side"], "patient": ["patient_id"]}
_BITS = 33
"""Of a probability's mantissa that are kept: ten significant digits, more than a network's float32 holds."""


@dataclass(frozen=True, eq=False)
class Units:
    """What is counted at one level.

    Attributes
    ----------
    patients
        Patient of each unit, length ``units``.
    targets
        Class index of each unit, shape ``(units,)``.
    probabilities
        Shape ``(units, classes)``, to ten significant digits (`without_noise`).
    images
        Images behind each unit, shape ``(units,)``; the frames of one clip are one.
    """

    patients: tuple[str, ...]
    targets: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    images: NDArray[np.intp]

    def __post_init__(self) -> None:
        """Settle ties, once for all that rank units or decide on them."""
        object.__setattr__(self, "probabilities", without_noise(self.probabilities))

    def __len__(self) -> int:
        """Count of units."""
        return len(self.patients)


def without_noise(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities to ten significant digits: what differs by the order of a sum alone is a tie again.

    Tools that answer by votes or by one class give equal probabilities to many images. A softmax and a mean of them
    differ in the last bit by the position of a class or the order of rows, and an AUC that takes this for a ranking is
    off by much.

    Parameters
    ----------
    probabilities
        Of any shape.

    Examples
    --------
    >>> sums = np.array([0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1])
    >>> len(set(sums.tolist())), len(set(without_noise(sums).tolist()))
    (2, 1)
    """
    mantissa, exponent = np.frexp(np.asarray(probabilities, dtype=np.float64))
    return np.asarray(np.ldexp(np.rint(mantissa * 2.0**_BITS), exponent - _BITS), dtype=np.float64)


def units_at(level: Level, predictions: Predictions, probabilities: NDArray[np.float64] | None = None) -> Units:
    """Pool a table's rows into the units of a level.

    Parameters
    ----------
    level
        ``"image"``, ``"muscle"`` or ``"patient"``. Folds are pooled: a patient is one unit, however many folds
        tested some of its images. Rows that name no muscle belong to none.
    predictions
        The rows to pool.
    probabilities
        Replaces the table's own, shape ``(rows, classes)``; used for calibrated probabilities.
    """
    table, values = predictions.table, predictions.probabilities if probabilities is None else probabilities
    if level == "muscle" and (table["muscle"] == "").any():
        named = (table["muscle"] != "").to_numpy()
        predictions, values = replace(predictions, table=table[named].reset_index(drop=True)), values[named]
        table = predictions.table
    patients = table["patient_id"].tolist()
    if level == "image":
        return Units(tuple(patients), predictions.targets, values, np.ones(len(table), dtype=np.intp))
    groups = list(table[_UNIT[level]].itertuples(index=False, name=None))
    keys, pooled, files = pool_files(values, groups, _files(predictions))
    place = {key: number for number, key in enumerate(keys)}
    codes = np.array([place[group] for group in groups], dtype=np.intp)
    _, first = np.unique(codes, return_index=True)
    return Units(
        patients=tuple(patients[row] for row in first),
        targets=predictions.targets[first],
        probabilities=pooled,
        images=files,
    )


def _files(predictions: Predictions) -> list[str | int]:
    """What counts as one file: the frames of a clip within a fold, and each row that belongs to none."""
    table = predictions.table
    if "clip" not in table:
        return list(range(len(table)))
    clips = zip(table["fold"], table["clip"], strict=True)
    return file_keys([f"{fold}\t{clip}" if clip else "" for fold, clip in clips])
