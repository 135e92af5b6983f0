from __future__ import annotations

import collections
import json

import numpy as np
import onnx
import onnxruntime
import pytest

from myosono.errors import ArtefactError
from myosono.export import artefact as artefact_module
from myosono.export import export_run, quantise
from myosono.export import gates as gates_module
from myosono.export.gates import Gate, Int8Agreement, failing, int8_gates, parity_gates
from myosono.export.int8 import calibration_ids
from myosono.export.parity import Parity
from myosono.reading import load
from myosono.reading.reader import FORCED_WARNING


@pytest.fixture(scope="module")
def int8(tiny_run, tiny_cohort, tmp_path_factory):
    """Forced: two epochs leave margins between classes too small for any gate on 24 images."""
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    return export_run(tiny_run[0], tiny_cohort, path, int8=True, force=True, gate=False, quiet=True)


@pytest.fixture
def exported_once(tiny_model, monkeypatch):
    """The graph of the tiny model again, without waiting for torch's exporter."""

    def again(_):
        model = onnx.load(tiny_model.path)
        del model.metadata_props[:]
        return model

    monkeypatch.setattr(artefact_module, "to_onnx", again)


def logits(path, images):
    session = onnxruntime.InferenceSession(str(path))
    return np.array([session.run(["logits"], {"image": image})[0] for image in images])


def test_int8_is_smaller_and_close(int8, tiny_model, tiny_cohort):
    images = [tiny_cohort.image(name) for name in tiny_cohort.table["image_id"]]
    before, after = logits(tiny_model.path, images), logits(int8.path, images)
    assert 0 < np.abs(after - before).max() < 0.15
    assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) > 0.99
    assert int8.path.stat().st_size < 0.65 * tiny_model.path.stat().st_size


def test_weights_are_integers_and_the_threshold_branch_is_float(int8):
    model = onnx.load(int8.path)
    names = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node}
    kinds = collections.Counter()
    for node in model.graph.node:
        if node.op_type == "Conv":
            floating = node.input[1].endswith(".minus")
            source = None if node.input[1] in names else made[node.input[1]]
            kinds[floating] += 1
            if floating:
                assert names[node.input[1]].data_type == onnx.TensorProto.FLOAT
            else:
                assert source.op_type == "DequantizeLinear"
                weight, scale = names[source.input[0]], names[source.input[1]]
                assert weight.data_type == onnx.TensorProto.INT8
                assert list(scale.dims) == [weight.dims[0]], "one scale per output channel"
    assert kinds[True] == int8.metadata["quantisation"]["float_convolutions"] > 0
    assert kinds[False] == int8.metadata["quantisation"]["integer_convolutions"] > 0


def test_the_file_says_how_it_was_made(int8, tiny_model, tiny_run, tiny_cohort):
    said = int8.metadata
    assert said["precision"] == "int8"
    assert tiny_model.metadata["precision"] == "fp32"
    assert said["parent"] == {"precision": "fp32", "graph_sha256": tiny_model.metadata["graph_sha256"]}
    assert said["graph_sha256"] != said["parent"]["graph_sha256"]
    chosen = calibration_ids(tiny_run[0], tiny_cohort, fold=0, count=200)
    assert said["quantisation"]["calibration_images"] == len(chosen)
    assert len(said["gates"]) == 5
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_it_reads_like_any_other(int8, tiny_cohort):
    reader = load(int8.path)
    reading = reader.read(tiny_cohort.image(tiny_cohort.table["image_id"].iloc[0]))
    assert sum(reading.images[0].probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert (FORCED_WARNING in reader.model.warnings) == int8.metadata["forced"]
    maps, session = reading.images[0].class_maps, onnx.load(int8.path)
    bias = next(t for t in session.graph.initializer if t.name == "network.classifier.bias")
    observed = reader.artefact.run(tiny_cohort.image(tiny_cohort.table["image_id"].iloc[0])).logits
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + onnx.numpy_helper.to_array(bias), observed, atol=1e-4)


def test_same_network_same_int8(exported_once, int8, tiny_run, tiny_cohort, tmp_path):
    again = export_run(tiny_run[0], tiny_cohort, tmp_path / "again.onnx", int8=True, force=True, gate=False, quiet=True)
    assert again.metadata["graph_sha256"] == int8.metadata["graph_sha256"]


def test_calibration_sees_training_patients_alone_and_all_of_them(tiny_run, tiny_cohort):
    run = tiny_run[0]
    chosen = tiny_cohort.table.set_index("image_id").loc[calibration_ids(run, tiny_cohort, fold=0, count=9)]
    held = run.predictions().query("fold == 0")["patient_id"]
    training = set(tiny_cohort.table["patient_id"]) - set(held)
    assert set(chosen["patient_id"]) <= training
    assert chosen["patient_id"].nunique() == min(9, len(training))


def test_the_gates_measure_the_held_out_patients(int8, tiny_model, tiny_run, tiny_cohort):
    test = tiny_run[0].predictions().query("fold == 0 and role == 'test'")
    images = [tiny_cohort.image(name) for name in test["image_id"]]
    before, after = logits(tiny_model.path, images), logits(int8.path, images)
    agreement = np.mean(before.argmax(1) == after.argmax(1))
    found = {gate.name: gate for gate in int8.gates}["int8 against fp32: equal decisions"]
    assert found.value == pytest.approx(agreement)
    assert found.count == len(test)
    assert int8.metadata["int8_agreement"]["patients"] == test["patient_id"].nunique()


def test_a_failing_gate_leaves_no_file_unless_forced(exported_once, tiny_run, tiny_cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(gates_module, "MIN_INT8_AGREEMENT", 1.01)
    with pytest.raises(ArtefactError, match=r"gate failed: int8 against fp32: equal decisions"):
        export_run(tiny_run[0], tiny_cohort, tmp_path / "m.onnx", int8=True, gate=False, quiet=True)
    assert list(tmp_path.iterdir()) == []
    forced = export_run(tiny_run[0], tiny_cohort, tmp_path / "m.onnx", int8=True, force=True, gate=False, quiet=True)
    assert forced.metadata["forced"] is True
    assert FORCED_WARNING in load(forced.path).model.warnings


def test_quantising_needs_images(tiny_model):
    with pytest.raises(ArtefactError, match="no training image"):
        quantise(onnx.load(tiny_model.path), [])


@pytest.mark.parametrize(
    ("agreement", "loss", "failed"), [(0.99, 0.005, 0), (0.9899, 0.0, 1), (1.0, 0.0051, 1), (float("nan"), 0.0, 1)]
)
def test_int8_gates(agreement, loss, failed):
    found = int8_gates(Int8Agreement(100, 10, agreement, 0.1, 0.01, loss, 0.0))
    assert len(failing(found)) == failed


@pytest.mark.parametrize(
    ("difference", "agreement", "failed"), [(1e-4, 1.0, 0), (1.1e-4, 1.0, 1), (0.0, 0.998, 1), (float("nan"), 0.5, 2)]
)
def test_parity_gates(difference, agreement, failed):
    assert len(failing(parity_gates(Parity(500, difference, agreement, 0.0, 400, 0.0)))) == failed


def test_a_gate_says_what_it_asked_and_found():
    gate = Gate("a against b", 0.5, "at least", 0.99, 7, "images")
    assert str(gate) == "a against b 0.5 (at least 0.99, 7 images)"
    assert gate.to_dict()["passed"] is False
