from __future__ import annotations

import json

import numpy as np
import pytest

from myosono.errors import PredictionsError
from myosono.evaluation import Evaluation, check_predictions, evaluate, units_at


def test_json_there_and_back(study):
    found = evaluate(study, resamples=50, split={"kind": "patient", "leaks": False})
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == found
    assert json.loads(text)["format"] == 2


def test_same_seed_same_figures_in_any_row_order(study):
    one = evaluate(study, resamples=100, seed=4)
    assert evaluate(study, resamples=100, seed=4) == one
    assert evaluate(study, resamples=100, seed=5).levels != one.levels
    shuffled = evaluate(study.sample(frac=1, random_state=0), resamples=100, seed=4)
    assert shuffled.levels["image"].confusion == one.levels["image"].confusion
    assert shuffled.levels["patient"].accuracy == one.levels["patient"].accuracy


def test_levels_count_images_muscles_and_patients(study):
    found = evaluate(study, resamples=20)
    assert [found.levels[name].units for name in ("image", "muscle", "patient")] == [480, 240, 40]
    assert [part.muscle for part in found.by_muscle] == ["D", "B", "T"]
    assert sum(part.images for part in found.by_muscle) == 480
    assert sum(map(sum, found.levels["patient"].confusion)) == 40
    assert found.counts.patients_per_class == {"Normal": 10, "IBM": 10, "PM": 10, "DM": 10}
    assert {fold.fold: fold.patients for fold in found.folds} == dict.fromkeys("0123", 12) | {"2": 8, "3": 8}


def test_pooling_is_the_mean_of_a_patients_images(study):
    table = check_predictions(study).rows("test")
    units = units_at("patient", table)
    mine = table.probabilities[(table.table["patient_id"] == units.patients[7]).to_numpy()].mean(axis=0)
    assert np.allclose(units.probabilities[7], mine)


def test_no_muscles_no_muscle_level(study):
    found = evaluate(study.drop(columns=["muscle", "side"]), resamples=0)
    assert set(found.levels) == {"image", "patient"}
    assert found.by_muscle == ()


def test_two_classes(make):
    found = evaluate(make(classes=("Normal", "Affected")), resamples=50)
    patient = found.levels["patient"]
    assert patient.per_class["Normal"].sensitivity.value == patient.per_class["Affected"].specificity.value
    assert patient.per_class["Normal"].auc.value == pytest.approx(patient.auc.value)


def test_no_resamples_no_intervals(study):
    assert evaluate(study, resamples=0).levels["image"].accuracy.lo is None


def test_only_validation_rows(study):
    with pytest.raises(PredictionsError, match="nothing to evaluate"):
        evaluate(study[study["role"] == "validation"])


@pytest.mark.parametrize("damage", [{"format": 1}, {"counts": 3}, {"levels": {"image": {}}}])
def test_damaged_metrics(study, damage):
    with pytest.raises(PredictionsError):
        Evaluation.from_dict({**evaluate(study, resamples=0).to_dict(), **damage})
