"""Pooling kept rows is pooling the reading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myosono.reading import load, pool_muscles


@dataclass(frozen=True)
class Row:
    path: str
    patient_id: str
    muscle: str | None
    side: str | None
    probabilities: dict[str, float]
    abstained: bool
    reasons: tuple[str, ...]


def test_rows_pool_as_the_images_that_they_were_made_from(make_speckle) -> None:
    reader = load(threads=1)
    reading = reader.read([make_speckle(seed, 120, 90) for seed in range(3)] + [np.zeros((90, 90), np.uint8)])
    rows = [
        Row(i.path, i.patient_id, i.muscle, i.side, i.probabilities, i.abstained, i.reasons) for i in reading.images
    ]
    assert reader.pool(rows) == (reading.muscles, reading.patients)


def test_frames_of_a_file_count_as_one_image() -> None:
    def row(path: str, normal: float) -> Row:
        return Row(path, "p", "D", "R", {"Normal": normal, "IBM": 1 - normal}, False, ())

    (muscle,) = pool_muscles([row("loop", 1.0), row("loop", 1.0), row("loop", 1.0), row("still", 0.0)])
    assert muscle.probabilities == {"Normal": 0.5, "IBM": 0.5}
    assert muscle.images == 4
