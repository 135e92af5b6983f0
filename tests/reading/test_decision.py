from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myosono
from myosono.cohort.simulation import simulate_image
from myosono.pooling import apply_temperature, pool_probabilities
from myosono.reading import PatientReading, load
from myosono.reading.decision import UNCALIBRATED_WARNING, Evidence, PatientRule

METADATA = {
    "format": 2,
    "classes": ["Normal", "IBM", "PM", "DM"],
    "patient_temperature": 0.5,
    "conformal": {
        "alpha": 0.1,
        "patients": 60,
        "thresholds": {"Normal": 0.8, "IBM": 0.8, "PM": 0.6, "DM": 0.8},
    },
    "calibration": {"images_per_patient": {"fewest": 20}, "warnings": ["calibrated on few patients: why"]},
}


def rule(**changes: object) -> PatientRule:
    return PatientRule.from_metadata(METADATA | changes)


def spoken(pooled: list[float], images: int = 40, *, unseen: int = 0, by: PatientRule | None = None) -> PatientReading:
    by, evidence = by or rule(), Evidence(images, unseen)
    calibrated = by.calibrate(np.array(pooled))
    members = by.members(calibrated, evidence)
    label = members[0] if len(members) == 1 else None
    named = dict(zip(by.classes, calibrated.tolist(), strict=True))
    return PatientReading("P", named, label, members, label is None, by.reasons(members, evidence), images)


def test_one_diagnosis_several_or_none():
    one = spoken([0.1, 0.7, 0.1, 0.1])
    assert (one.answer, one.label, one.abstained, one.reasons) == ("IBM", "IBM", False, ())
    two = spoken([0.04, 0.46, 0.46, 0.04])
    assert (two.answer, two.label, two.abstained) == ("IBM or PM", None, True)
    assert two.reasons == ("cannot be told apart at 90% confidence",)
    narrow = rule(conformal=METADATA["conformal"] | {"thresholds": dict.fromkeys(METADATA["classes"], 0.1)})
    none = spoken([0.4, 0.4, 0.1, 0.1], by=narrow)
    assert (none.answer, none.prediction_set) == ("abstains", ())
    assert "no diagnosis reaches 90% confidence" in none.reasons[0]
    wide = rule(conformal=METADATA["conformal"] | {"thresholds": dict.fromkeys(METADATA["classes"], 1.0)})
    every = spoken([0.4, 0.4, 0.1, 0.1], by=wide)
    assert (every.answer, len(every.prediction_set)) == ("abstains", 4)
    assert every.reasons == ("no diagnosis can be excluded at 90% confidence",)
    assert every.to_dict()["answer"] == "abstains"


def test_the_thresholds_are_by_class():
    assert spoken([0.0, 0.5, 0.5, 0.0]).prediction_set == ("IBM", "PM")
    assert spoken([0.0, 0.58, 0.42, 0.0]).prediction_set == ("IBM",)  # PM's own threshold is stricter than IBM's
    assert spoken([0.0, 0.42, 0.58, 0.0]).prediction_set == ("IBM", "PM")


def test_too_few_calibration_patients():
    mute = rule(
        conformal=METADATA["conformal"] | {"patients": 6, "thresholds": dict.fromkeys(METADATA["classes"], None)}
    )
    found = spoken([0.97, 0.01, 0.01, 0.01], by=mute)
    assert found.answer == "abstains"
    assert found.reasons == ("only 6 calibration patients: too few to exclude any diagnosis",)


def test_fewer_images_than_any_calibration_patient_had_abstains():
    """One image had been given a diagnosis, beside the words that it cannot be relied on."""
    assert spoken([0.1, 0.7, 0.1, 0.1], images=20).label == "IBM"
    alone = spoken([0.1, 0.7, 0.1, 0.1], images=1)
    assert (alone.answer, alone.label, alone.abstained) == ("abstains", None, True)
    assert alone.prediction_set == ("Normal", "IBM", "PM", "DM")
    assert alone.reasons == ("1 image, where every calibration patient had 20 or more: no diagnosis can be excluded",)


def test_mostly_grey_levels_that_the_model_never_saw_abstain():
    assert spoken([0.1, 0.7, 0.1, 0.1], unseen=20).label == "IBM"
    dark = spoken([0.1, 0.7, 0.1, 0.1], unseen=21)
    assert (dark.answer, dark.label, len(dark.prediction_set)) == ("abstains", None, 4)
    assert dark.reasons == (
        "21 of 40 images darker or brighter than the model learned from: no diagnosis can be excluded",
    )


@given(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), st.floats(0.1, 10))
def test_a_temperature_keeps_the_order_and_the_sum(weights: list[float], temperature: float):
    p = np.array(weights) / sum(weights)
    found = rule(patient_temperature=temperature).calibrate(p)
    assert found.sum() == pytest.approx(1)
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


@pytest.mark.parametrize(
    "damage",
    [
        {"conformal": {}},
        {"calibration": {}},
        {"patient_temperature": None},
        {"patient_temperature": 0},
        {"calibration": 3},
    ],
)
def test_incomplete_calibration_is_no_rule(damage: dict[str, object]):
    with pytest.raises((KeyError, TypeError, ValueError)):
        rule(**damage)


def test_an_older_file_is_read_with_a_default_and_says_so():
    older = rule(format=1, conformal={"threshold": 0.8, "alpha": 0.1, "patients": 12})
    assert (older.temperature, older.fewest_images) == (1.0, 0)
    assert older.warnings == (UNCALIBRATED_WARNING,)
    p = np.array([0.7, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(older.calibrate(p), p)


def test_what_was_evaluated_is_what_is_read(tiny_run, tiny_model):
    """The file's rule gives the fold's test patients the probabilities and sets that the evaluation reports."""
    from myosono.evaluation import evaluate

    run, _ = tiny_run
    table = run.predictions().query("fold == 0")
    by = load(tiny_model.path, threads=1).artefact.patient_rule
    found = {one.patient_id: one for one in evaluate(table, classes=run.classes, resamples=0).patients}
    test = table[table["role"] == "test"]
    images = apply_temperature(
        test[[f"p_{name}" for name in run.classes]].to_numpy(), tiny_model.metadata["temperature"]
    )
    for patient, pooled in zip(*pool_probabilities(images, test["patient_id"].tolist()), strict=True):
        calibrated = by.calibrate(pooled)
        assert list(found[patient].probabilities.values()) == pytest.approx(calibrated.tolist(), abs=1e-5)
        assert found[patient].prediction_set == by.members(calibrated, Evidence(by.fewest_images))


def test_the_file_states_on_whom_it_was_calibrated(tiny_model):
    data = json.loads(json.dumps(tiny_model.metadata))
    assert data["format"] == 2
    assert sum(data["calibration"]["patients_per_class"].values()) == data["calibration"]["patients"]
    assert data["conformal"]["patients"] == data["calibration"]["patients"]
    assert any("few patients" in line for line in load(tiny_model.path, threads=1).model.warnings)


def test_every_reading_of_the_embedded_model_states_its_calibration():
    reader = myosono.load()
    image = simulate_image("Normal", "D", "R", shot=1, seed=4)
    (patient,) = reader.read(image).patients
    assert sum(patient.probabilities.values()) == pytest.approx(1)
    assert (UNCALIBRATED_WARNING in reader.model.warnings) == (reader.artefact.metadata["format"] == 1)
