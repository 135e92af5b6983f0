"""What the roles of a split share: patients, and the same muscle of the same patient.

"Seen" counts training and validation together: validation images choose the epoch and the temperature, so a test
patient among them is known to the model too. The stricter figures, for training images alone, stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

ROLES = ("train", "validation", "test")


@dataclass(frozen=True)
class FoldOverlap:
    """Counts and fractions of one fold; fractions are of its test images.

    Attributes
    ----------
    shared_patients
        Patients that occur in more than one role of this fold.
    patient_seen, patient_in_train
        Fraction of test images whose patient is also in training or validation; in training.
    site_seen, site_in_train
        Fraction of test images whose patient, side and muscle is also in training or validation; in training. ``None``
        where no muscle is known.
    """

    fold: int
    train: int
    validation: int
    test: int
    test_patients: int
    shared_patients: int
    patient_seen: float
    patient_in_train: float
    site_seen: float | None
    site_in_train: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def split_overlap(split: pd.DataFrame, cohort: pd.DataFrame) -> tuple[FoldOverlap, ...]:
    """Overlap of every fold of a split, computed from the tables alone.

    Parameters
    ----------
    split
        Columns ``image_id, fold, role``.
    cohort
        Columns ``image_id, patient_id``, and ``muscle, side`` where known.
    """
    identity = cohort.set_index("image_id")
    patients = split["image_id"].map(identity["patient_id"])
    joined = split.assign(patient=patients, site=_sites(split, identity, patients))
    return tuple(_fold_overlap(int(str(fold)), rows) for fold, rows in joined.groupby("fold", sort=True))


def leaks(overlap: Iterable[FoldOverlap]) -> bool:
    """Whether any patient occurs in two roles of one fold."""
    return any(fold.shared_patients > 0 for fold in overlap)


def _sites(split: pd.DataFrame, identity: pd.DataFrame, patients: pd.Series[Any]) -> pd.Series[Any]:
    if "muscle" not in identity.columns:
        return pd.Series([None] * len(split), index=split.index, dtype=object)
    muscle = split["image_id"].map(identity["muscle"]).astype(object)
    side = split["image_id"].map(identity["side"]) if "side" in identity.columns else ""
    return (patients.astype(object) + "\t" + side + muscle).where(muscle != "", None)


def _fold_overlap(fold: int, rows: pd.DataFrame) -> FoldOverlap:
    by_role = {role: rows[rows["role"] == role] for role in ROLES}
    test = by_role["test"]
    seen = rows[rows["role"] != "test"]
    roles_of_patient = rows.groupby("patient")["role"].nunique()
    return FoldOverlap(
        fold=fold,
        train=len(by_role["train"]),
        validation=len(by_role["validation"]),
        test=len(test),
        test_patients=int(test["patient"].nunique()),
        shared_patients=int((roles_of_patient > 1).sum()),
        patient_seen=_fraction(test["patient"], seen["patient"]) or 0.0,
        patient_in_train=_fraction(test["patient"], by_role["train"]["patient"]) or 0.0,
        site_seen=_fraction(test["site"], seen["site"]),
        site_in_train=_fraction(test["site"], by_role["train"]["site"]),
    )


def _fraction(tested: pd.Series[Any], known: pd.Series[Any]) -> float | None:
    named = tested.dropna()
    return float(named.isin(set(known.dropna())).mean()) if len(named) else None
