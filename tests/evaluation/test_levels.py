"""Levels: frames of a clip count as one image, by the very rule of reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from myosono.evaluation import check_predictions, units_at
from myosono.export.calibrate import calibration_metadata
from myosono.pooling import pool_files, pool_probabilities

CLASSES = ("Normal", "PM")


def table(clips: list[str], shares: list[float]) -> pd.DataFrame:
    """One patient's rows."""
    return pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(len(clips))],
            "patient_id": "P1",
            "clip": clips,
            "target": "PM",
            "p_Normal": [1 - share for share in shares],
            "p_PM": shares,
        }
    )


def test_a_long_clip_does_not_outvote_a_still():
    predictions = check_predictions(table(["a", "a", "a", ""], [1.0, 1.0, 1.0, 0.0]), classes=CLASSES)
    patient = units_at("patient", predictions)
    assert patient.probabilities.tolist() == [[0.5, 0.5]]
    assert patient.images.tolist() == [2]
    assert len(units_at("image", predictions)) == 4


def test_stills_count_one_by_one_and_tables_without_the_column_are_as_before():
    rows = table(["", "", ""], [1.0, 0.5, 0.0])
    for given_table in (rows, rows.drop(columns="clip")):
        patient = units_at("patient", check_predictions(given_table, classes=CLASSES))
        assert patient.probabilities.tolist() == [[0.5, 0.5]]
        assert patient.images.tolist() == [3]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("xyz"), st.floats(0, 1)), min_size=1, max_size=20))
def test_files_of_one_frame_pool_like_their_frames(rows):
    groups = [group for group, _, _ in rows]
    values = np.array([[share, 1 - share] for _, _, share in rows])
    keys, pooled, counts = pool_files(values, groups, list(range(len(rows))))
    plain_keys, plain = pool_probabilities(values, groups)
    assert keys == plain_keys
    np.testing.assert_array_equal(pooled, plain)
    assert counts.tolist() == [groups.count(key) for key in keys]
    _, _, fewer = pool_files(values, groups, [file for _, file, _ in rows])
    assert (fewer <= counts).all()


def test_a_model_file_states_how_many_files_a_patient_had():
    rng = np.random.default_rng(0)
    parts = []
    for number in range(12):
        share = float(rng.uniform(0.2, 0.8))
        part = table(["clip"] * 8, [share] * 8)
        target = CLASSES[number % 2]
        parts.append(part.assign(patient_id=f"P{number}", target=target, image_id=[f"{number}-{k}" for k in range(8)]))
    frames = pd.concat(parts, ignore_index=True).assign(role="validation", fold=0)
    frames["clip"] = frames["patient_id"] + "/" + frames["clip"]
    _, metadata = calibration_metadata(frames, CLASSES)
    assert metadata["calibration"]["images_per_patient"] == {"fewest": 1, "median": 1.0}
