from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from myosono.errors import ArtefactError
from myosono.export.ood import restate
from myosono.reading import load
from myosono.reading.grey_range import GreyRange, is_unseen, mean_grey


def flat(grey: int) -> np.ndarray:
    return np.full((64, 64), grey, np.uint8)


def test_only_what_lies_outside_is_doubted():
    known = GreyRange.of([40.0, 90.0, 61.5])
    assert known == GreyRange(40, 90) == GreyRange.from_metadata({"darkest": 40, "brightest": 90.0})
    assert [known.doubt(flat(grey)) is None for grey in (39, 40, 90, 91)] == [False, True, True, False]
    assert known.doubt(flat(20)).startswith("darker than the images that the model learned from (mean grey level 20;")
    assert known.doubt(flat(200)).startswith("brighter than")
    assert is_unseen(["other", known.doubt(flat(200))])
    assert not is_unseen(["not muscle ultrasound: darker"])


@pytest.mark.parametrize("stated", [{}, {"darkest": 1}, {"darkest": 9, "brightest": 3}, {"darkest": -1, "brightest": 3},
                                    {"darkest": 0, "brightest": float("nan")}])  # fmt: skip
def test_what_is_no_range_is_refused(stated, tiny_model, tmp_path):
    with pytest.raises((KeyError, ValueError)):
        GreyRange.from_metadata(stated)
    restate(tiny_model.path, {"grey": stated}, tmp_path / "wrong.onnx")
    with pytest.raises(ArtefactError, match="range of grey levels is damaged"):
        load(tmp_path / "wrong.onnx")


def test_a_model_file_states_the_range_of_its_training_images(tiny_model, tiny_run, tiny_cohort):
    run, _ = tiny_run
    trained = pd.read_parquet(run.path / "splits.parquet").query("fold == 0 and role == 'train'")["image_id"]
    means = [mean_grey(tiny_cohort.image(name)) for name in trained]
    stated = tiny_model.metadata["grey"]
    assert (stated["darkest"], stated["brightest"]) == (round(min(means), 2), round(max(means), 2))


def test_a_study_taken_too_dark_is_read_and_abstained_from(tiny_model, tiny_cohort):
    """At -12 dB a model guesses, no less surely than before (docs/stress.md)."""
    reader = load(tiny_model.path, threads=1)
    images = [tiny_cohort.image(name) for name in tiny_cohort.table["image_id"]]
    usual = reader.read(images, patient_id="P")
    assert 2 * sum(is_unseen(image.reasons) for image in usual.images) < len(usual.images)
    assert "darker or brighter" not in str(usual.patients[0].reasons)
    dark = reader.read([(image // 4).astype(np.uint8) for image in images], patient_id="P")
    assert all(is_unseen(image.reasons) and image.label for image in dark.images)
    (patient,) = dark.patients
    assert (patient.answer, patient.label) == ("abstains", None)
    assert "darker or brighter than the model learned from" in patient.reasons[0]
