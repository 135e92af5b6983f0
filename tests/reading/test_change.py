from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.errors import ArtefactError, UsageError
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.pooling import pool_files
from myosono.reading import Artefact, PatientReading, load
from myosono.reading.change import Study, compare, metadata_changes, said
from myosono.reading.seal import seal


def shifted(tiny_model, path, shift, **metadata):
    """A second version: the classifier's bias moved, and the metadata changed."""
    model = onnx.load(tiny_model.path)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("classifier.bias"):
            values = onnx.numpy_helper.to_array(tensor) + np.float32(shift)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    del model.metadata_props[:]
    model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=json.dumps(tiny_model.metadata | metadata))
    path.write_bytes(seal(model.SerializeToString()))
    return path


@pytest.fixture(scope="module")
def studies(tiny_cohort):
    groups = tiny_cohort.table.groupby("patient_id")
    return [
        Study([tiny_cohort.image(name) for name in rows["image_id"]], str(patient), tuple(rows["image_id"]), label)
        for patient, rows in groups
        for label in [rows["label"].iloc[0]]
    ]


def test_a_file_beside_itself_moves_nothing(tiny_model, studies, tiny_cohort):
    record = compare(tiny_model.path, tiny_model.path, studies)
    assert len(record.images) == len(tiny_cohort)
    assert record.max_logit_difference == 0
    assert record.image_agreement == record.patient_agreement == 1
    assert record.metadata == {}
    assert not record.moved_images
    assert not record.moved_patients


@pytest.mark.parametrize(
    ("remaining", "told"),
    [(("IBM",), "IBM"), (("IBM", "PM"), "IBM or PM"), ((), "abstains"), (("Normal", "IBM", "PM"), "abstains")],
)
def test_a_reader_is_told_what_a_reading_says(remaining, told):
    shares = {"Normal": 0.4, "IBM": 0.3, "PM": 0.3}
    label = remaining[0] if len(remaining) == 1 else None
    assert said(PatientReading("P1", shares, label, remaining, label is None, (), 4)) == told


def test_what_moved_and_for_whom(tiny_model, studies, tmp_path):
    after = shifted(tiny_model, tmp_path / "after.onnx", [0, 0, 50, 0], name="second")
    record = compare(tiny_model.path, after, studies)
    assert record.max_logit_difference == pytest.approx(50, rel=1e-5)
    assert {image.after for image in record.images} == {"PM"}
    assert {image.name for image in record.moved_images} == {i.name for i in record.images if i.before != "PM"}
    assert record.image_agreement == pytest.approx(np.mean([i.before == "PM" for i in record.images]))
    assert record.metadata == {"name": (tiny_model.metadata["name"], "second")}
    for patient in record.patients:
        assert patient.probabilities_after["PM"] == max(patient.probabilities_after.values())
        assert patient.max_probability_difference > 0
    by_class = {change.name: change for change in record.by_class()}
    assert by_class["PM"].right_after == by_class["PM"].images
    assert by_class["IBM"].right_after == 0
    assert sum(change.images for change in by_class.values()) == len(record.images)
    assert sum(change.moved for change in by_class.values()) == len(record.moved_images)
    assert sum(sum(row.values()) for row in record.transitions().values()) == len(record.images)
    json.dumps(record.to_dict(), allow_nan=False)


def test_without_truth_classes_are_those_decided_before(tiny_model, studies, tmp_path):
    after = shifted(tiny_model, tmp_path / "after.onnx", [50, 0, 0, 0])
    plain = [Study(study.sources, study.patient_id) for study in studies[:4]]
    record = compare(tiny_model.path, after, plain)
    assert [change.right_before for change in record.by_class()] == [None] * len(record.by_class())
    assert {change.name for change in record.by_class()} == {image.before for image in record.images}


def test_without_images_only_the_metadata_are_compared(tiny_model, tmp_path):
    record = compare(tiny_model.path, shifted(tiny_model, tmp_path / "a.onnx", 0, size=96))
    assert record.metadata["size"] == (tiny_model.metadata["size"], 96)
    assert (record.max_logit_difference, record.image_agreement, record.patient_agreement) == (None, None, None)
    json.dumps(record.to_dict(), allow_nan=False)


def test_another_task_and_miscounted_names_are_refused(tiny_model, studies, tmp_path):
    other = shifted(tiny_model, tmp_path / "other.onnx", 0, classes=["IBM", "Normal", "PM", "DM"])
    with pytest.raises(ArtefactError, match="knows the classes IBM, Normal, PM, DM"):
        compare(tiny_model.path, other, studies)
    with pytest.raises(UsageError, match="1 names for"):
        compare(tiny_model.path, tiny_model.path, [Study(studies[0].sources, "P", ("only",))])


@given(st.recursive(st.integers() | st.text(max_size=3), lambda v: st.dictionaries(st.text("ab", min_size=1), v)))
def test_metadata_change_only_where_they_differ(values):
    tree = {"x": values}
    assert metadata_changes(tree, tree) == {}
    assert metadata_changes(tree, tree | {"new": 1}) == {"new": (None, 1)}


def test_comparing_needs_no_torch():
    code = "import sys, myosono.reading.change; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def ungated(tmp_path_factory):
    """The model that ships, and the same without its gate."""
    shipped = Artefact()
    model = onnx.load(shipped.path)
    del model.metadata_props[:]
    metadata = {key: value for key, value in shipped.metadata.items() if key != "ood"}
    model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=json.dumps(metadata))
    path = tmp_path_factory.mktemp("ungated") / "ungated.onnx"
    path.write_bytes(seal(model.SerializeToString()))
    return shipped.path, path


def test_an_image_that_is_newly_accepted_or_newly_refused_has_moved(ungated):
    gated, open_to_all = ungated
    noise = np.random.default_rng(0).integers(0, 256, (120, 120), dtype=np.uint8)
    assert load(gated).read(noise).images[0].label is None
    decided = load(open_to_all).read(noise).images[0].label
    accepted = compare(gated, open_to_all, [Study([noise])])
    refused = compare(open_to_all, gated, [Study([noise])])
    for record, before, after in ((accepted, None, decided), (refused, decided, None)):
        assert record.max_logit_difference == 0
        assert [(image.before, image.after) for image in record.moved_images] == [(before, after)]
        assert record.image_agreement == 0
        assert record.transitions()[before or "refused"][after or "refused"] == 1
        (change,) = record.by_class()
        assert (change.name, change.images, change.moved) == (before or "refused", 1, 1)
        json.dumps(record.to_dict(), allow_nan=False)


def test_a_refused_image_of_a_known_class_is_not_decided_rightly(ungated):
    gated, open_to_all = ungated
    noise = np.random.default_rng(0).integers(0, 256, (120, 120), dtype=np.uint8)
    decided = load(open_to_all).read(noise).images[0].label
    (change,) = compare(gated, open_to_all, [Study([noise], target=decided)]).by_class()
    assert (change.name, change.right_before, change.right_after) == (decided, 0, 1)


def test_frames_of_a_clip_count_as_one_image_of_the_patient(tiny_model, tiny_cohort):
    images = [tiny_cohort.image(name) for name in tiny_cohort.table["image_id"][:4]]
    clips = ("loop", "loop", "loop", "")
    (patient,) = compare(tiny_model.path, tiny_model.path, [Study(images, "P", clips=clips)]).patients
    reader = load(tiny_model.path)
    table = np.array([list(image.probabilities.values()) for image in reader.read(images).images])
    _, pooled, _ = pool_files(table, ["P"] * 4, ["loop", "loop", "loop", "still"])
    expected = reader.artefact.patient_rule.calibrate(pooled[0])
    np.testing.assert_allclose(list(patient.probabilities_before.values()), expected)
    with pytest.raises(UsageError, match="1 clips for 4 images"):
        compare(tiny_model.path, tiny_model.path, [Study(images, "P", clips=("loop",))])


def test_a_true_class_that_the_models_do_not_know_is_refused(tiny_model, studies):
    with pytest.raises(UsageError, match="true class benign of a study is unknown"):
        compare(tiny_model.path, tiny_model.path, [Study(studies[0].sources, target="benign")])


def test_a_recalibrated_file_bears_the_date_of_its_calibration_as_its_version(tiny_model, tmp_path):
    made = tiny_model.metadata["created"]
    dated = shifted(tiny_model, tmp_path / "new.onnx", 0, recalibrated={"from": "", "created": "2030-01-02T03:04:05"})
    assert load(tiny_model.path).model.version == made
    assert load(dated).model.version == "2030-01-02T03:04:05"
    for odd in (None, "yes", {"from": ""}):
        assert load(shifted(tiny_model, tmp_path / "odd.onnx", 0, recalibrated=odd)).model.version == made
