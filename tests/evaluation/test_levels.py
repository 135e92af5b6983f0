"""Levels: frames of a clip count as one image, by the very rule of reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from myosono.evaluation import check_predictions, evaluate, units_at
from myosono.evaluation.levels import without_noise
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


def voted(patients: int, seed: int) -> pd.DataFrame:
    """A tool that gives one class and no doubt: images are errors towards the next class or right."""
    rng, names = np.random.default_rng(seed), ("Normal", "IBM", "PM", "DM")
    rows = []
    for patient in range(patients):
        target = int(rng.integers(4))
        for image in range(6):
            said = target if rng.random() < 0.6 else (target + 1) % 4
            row = {"image_id": f"{patient}-{image}", "patient_id": f"{patient:03}", "target": names[target]}
            row |= {f"p_{name}": float(k == said) for k, name in enumerate(names)}
            rows.append(row | {"role": "validation" if patient < 20 else "test"})
    return pd.DataFrame(rows)


def test_equal_probabilities_stay_ties_after_calibration():
    """A softmax sums classes in their order: the last bit had ranked images that the tool answered alike."""
    for seed in range(5):
        table = voted(80, seed)
        test = table[table["role"] == "test"]
        for name, found in evaluate(table, resamples=0).levels["image"].per_class.items():
            assert found.auc.value == pytest.approx(roc_auc_score(test["target"] == name, test[f"p_{name}"]))


def test_the_order_of_rows_decides_no_patient():
    table = voted(80, 2)
    found = [evaluate(table.sample(frac=1, random_state=seed), resamples=0).levels["patient"] for seed in range(4)]
    assert len({level.accuracy.value for level in found}) == 1
    assert len({level.confusion for level in found}) == 1
    assert len({round(level.auc.value, 12) for level in found}) == 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_no_order_of_probabilities_is_turned(one, other):
    first, second = without_noise(np.array([one, other]))
    assert (first <= second) if one <= other else (first >= second)
    assert first == pytest.approx(one, rel=1e-9)


def test_images_without_a_muscle_are_no_muscle(make):
    """They had been pooled to one more muscle of their patient."""
    rows = make(12, validation=False)
    bare = rows["muscle"] == "T"
    found = evaluate(
        rows.assign(muscle=rows["muscle"].where(~bare, ""), side=rows["side"].where(~bare, "")), resamples=0
    )
    alone = evaluate(rows[~bare], resamples=0)
    assert found.levels["muscle"] == alone.levels["muscle"]
    assert found.levels["image"].units == len(rows)
    assert found.levels["patient"] == evaluate(rows, resamples=0).levels["patient"]
    assert f"{int(bare.sum())} of {len(rows)} test images name no muscle" in " ".join(found.warnings)
    nameless = evaluate(rows.assign(muscle=""), resamples=0)
    assert "muscle" not in nameless.levels
    assert "name no muscle" not in " ".join(nameless.warnings)
    assert len(units_at("muscle", check_predictions(rows.assign(muscle="")))) == 0
