"""From read images to muscles and patients; whoever keeps only what was said of each image pools by the same rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from myosono.pooling import pool_files
from myosono.reading.decision import Evidence, PatientRule
from myosono.reading.grey_range import is_unseen
from myosono.reading.ood import NOT_MUSCLE
from myosono.reading.result import MuscleReading, PatientReading, Probabilities

GroupKey = TypeVar("GroupKey", bound=Hashable)


class PoolableImage(Protocol):
    """What pooling needs of a frame: an `ImageReading`, or a row of a database that was made from one."""

    @property
    def path(self) -> str:
        """Frames of one file share it."""

    @property
    def patient_id(self) -> str:
        """Whose it is."""

    @property
    def muscle(self) -> str | None:
        """Code of `myosono.anatomy`."""

    @property
    def side(self) -> str | None:
        """``L`` or ``R``."""

    @property
    def probabilities(self) -> Probabilities:
        """By class, in the model's order."""

    @property
    def abstained(self) -> bool:
        """Whether it counts for no muscle and no patient."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was abstained from, first."""


def pool_muscles(images: Sequence[PoolableImage]) -> tuple[MuscleReading, ...]:
    """Each muscle and side of each patient, without the images that abstained, in order of first appearance."""
    usable = [image for image in images if not image.abstained]
    groups = [(image.patient_id, image.muscle, image.side) for image in usable]
    return tuple(
        MuscleReading(patient, muscle, side, pooled, max(pooled, key=pooled.__getitem__), count)
        for (patient, muscle, side), pooled, count in _pooled(usable, groups)
    )


def pool_patients(images: Sequence[PoolableImage], rule: PatientRule) -> tuple[PatientReading, ...]:
    """Each patient by a model's rule; those of whom no image could be classified stand last."""
    usable = [image for image in images if not image.abstained]
    patients: list[PatientReading] = []
    for patient, pooled, count in _pooled(usable, [image.patient_id for image in usable]):
        calibrated = rule.calibrate(np.array(list(pooled.values())))
        files = {image.path for image in usable if image.patient_id == patient}
        unseen = {image.path for image in usable if image.patient_id == patient and is_unseen(image.reasons)}
        evidence = Evidence(len(files), unseen=len(unseen))
        members = rule.members(calibrated, evidence)
        label = members[0] if len(members) == 1 else None
        probabilities = dict(zip(pooled, calibrated.tolist(), strict=True))
        reasons = rule.reasons(members, evidence)
        patients.append(PatientReading(patient, probabilities, label, members, label is None, reasons, count))
    read = {image.patient_id for image in usable}
    for patient in dict.fromkeys(image.patient_id for image in images if image.patient_id not in read):
        faults = [image.reasons[0] for image in images if image.patient_id == patient]
        foreign = all(fault.startswith(NOT_MUSCLE) for fault in faults)
        reason = f"{NOT_MUSCLE}: none of the images is" if foreign else "none of the images could be classified"
        patients.append(PatientReading(patient, {}, None, (), True, (reason,), 0))
    return tuple(patients)


def _pooled(images: Sequence[PoolableImage], groups: list[GroupKey]) -> Iterator[tuple[GroupKey, Probabilities, int]]:
    """Frames of one file count as one image, so that a long clip does not outvote the stills."""
    if not images:
        return
    classes = list(images[0].probabilities)
    table = np.array([[image.probabilities[name] for name in classes] for image in images])
    keys, pooled, _ = pool_files(table, groups, [image.path for image in images])
    counts = Counter(groups)
    for key, row in zip(keys, pooled.tolist(), strict=True):
        yield key, dict(zip(classes, row, strict=True)), counts[key]
