"""Calibration on a separate cohort: on export, and of a file that exists."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pandas as pd
import pytest
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.cohort import Cohort, write_cohort
from myosono.cohort.schema import files_of
from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.errors import ArtefactError, UsageError
from myosono.evaluation import check_predictions, fit_temperature
from myosono.export import export_run, recalibrate
from myosono.export.calibration_cohort import (
    COMPARED,
    NOT_COMPARED,
    _limited,
    cohort_predictions,
    onnx_logits,
    refuse_shared,
)
from myosono.export.recalibrate import set_temperature
from myosono.reading import Artefact, load


def simulated(folder, seed, patients=12):
    config = SimulationConfig.small(patients, images_per_patient=2, scale=0.25, seed=seed)
    return simulate_cohort(config, folder, progress=False)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("other") / "cohort", seed=31)


@pytest.fixture(scope="module")
def third(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("third") / "cohort", seed=32)


@pytest.fixture(scope="module")
def found(tiny_model, tiny_cohort, other, third, tmp_path_factory):
    out = tmp_path_factory.mktemp("recalibrated") / "model.onnx"
    return recalibrate(tiny_model.path, other, out, trained_on=tiny_cohort, evidence=third, quiet=True)


def with_table(cohort, table, **facts):
    return Cohort(cohort.folder, table, replace(cohort.info, **facts))


def test_only_the_calibration_moves(found, tiny_model, other):
    before, after = Artefact(tiny_model.path), Artefact(found.path)
    image = other.image(str(other.table["image_id"].iloc[0]))
    np.testing.assert_array_equal(before.run(image).logits, after.run(image).logits)
    np.testing.assert_array_equal(before.run(image).class_maps, after.run(image).class_maps)
    assert before.metadata["temperature"] != after.metadata["temperature"]
    scaled = np.exp(after.run(image).logits / after.metadata["temperature"])
    np.testing.assert_allclose(after.run(image).probabilities, scaled / scaled.sum(), rtol=1e-4)
    kept = {"name", "classes", "size", "cohort", "split", "parity", "trained_on", "simulated", "params"}
    assert {key: before.metadata[key] for key in kept} == {key: after.metadata[key] for key in kept}
    assert before.metadata["graph_sha256"] != after.metadata["graph_sha256"]


def test_the_temperature_is_that_of_the_whole_cohort(found, tiny_model, other):
    logits = onnx_logits(onnx.load(tiny_model.path))
    classes = tuple(tiny_model.metadata["classes"])
    table = cohort_predictions(logits, other, task="auto", classes=classes, role="validation", quiet=True)
    p = table[[f"p_{name}" for name in classes]].to_numpy()
    targets = table["target"].map(classes.index).to_numpy()
    assert len(table) == len(other.table)
    expected = fit_temperature(p, targets, table["patient_id"].tolist())
    assert found.after["temperature"] == pytest.approx(expected, rel=1e-6)


def test_the_file_says_on_whom_it_was_calibrated_and_measured(found, tiny_model, other, third):
    told = Artefact(found.path).metadata
    assert told["calibration"]["patients"] == other.table["patient_id"].nunique()
    stated = told["calibration"]["cohort"]
    assert stated["content_hash"] == other.info.content_hash
    assert stated["overlap"] == COMPARED
    assert stated["simulated"] is True
    assert third.info.content_hash in told["evidence"]["cohort"]
    assert told["evidence"]["test_patients"] == third.table["patient_id"].nunique()
    assert told["recalibrated"]["from"] == Artefact(tiny_model.path).sha256
    assert [gate["passed"] for gate in told["gates"]] == [True] * 5


def test_without_the_training_cohort_the_file_says_so_and_states_no_figures(tiny_model, other, tmp_path):
    found = recalibrate(tiny_model.path, other, tmp_path / "model.onnx", quiet=True)
    assert found.after["calibration"]["cohort"]["overlap"] == NOT_COMPARED
    assert found.after["evidence"] == {}


def test_a_file_may_be_rewritten_in_place_and_more_than_once(tiny_model, other, third, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model.path.read_bytes())
    recalibrate(path, third, path, quiet=True)
    again = recalibrate(path, other, path, quiet=True)
    once = recalibrate(tiny_model.path, other, tmp_path / "once.onnx", quiet=True)
    assert again.after["temperature"] == once.after["temperature"]
    assert again.after["patient_temperature"] == once.after["patient_temperature"]
    assert again.after["graph_sha256"] == once.after["graph_sha256"]


def test_cohorts_that_were_trained_on_are_refused(tiny_model, tiny_cohort, other, tmp_path):
    out = tmp_path / "model.onnx"
    with pytest.raises(UsageError, match="the model was trained on it"):
        recalibrate(tiny_model.path, tiny_cohort, out, quiet=True)
    with pytest.raises(UsageError, match="is not the cohort that"):
        recalibrate(tiny_model.path, other, out, trained_on=other, quiet=True)
    with pytest.raises(UsageError, match="cohort of calibration"):
        recalibrate(tiny_model.path, other, out, trained_on=tiny_cohort, evidence=other, quiet=True)
    assert not out.exists()


def test_one_shared_image_is_enough(tiny_cohort, other):
    table = other.table.copy()
    table.loc[3, "sha256"] = tiny_cohort.table["sha256"].iloc[5]
    with pytest.raises(UsageError, match="1 of its images are among those of training, by hash"):
        refuse_shared(with_table(other, table), tiny_cohort, use="calibrate", known_as="training")
    table.loc[3, "sha256"] = ""
    known = tiny_cohort.table.copy()
    known.loc[5, "sha256"] = ""
    refuse_shared(with_table(other, table), with_table(tiny_cohort, known), use="calibrate", known_as="training")


def test_shared_identities_count_unless_both_are_simulated(tiny_cohort, other):
    assert set(other.table["patient_id"]) & set(tiny_cohort.table["patient_id"])
    refuse_shared(other, tiny_cohort, use="calibrate", known_as="training")
    real = with_table(other, other.table, simulated=False)
    with pytest.raises(UsageError, match=r"12 patients are among those of training \(P001, P002, P003 \.\.\.\)"):
        refuse_shared(real, tiny_cohort, use="calibrate", known_as="training")


def test_a_class_without_patients_is_refused(tiny_model, other, tmp_path):
    table = other.table[other.table["label"] != "PM"].reset_index(drop=True)
    with pytest.raises(UsageError, match=r"tells Normal, IBM, PM, DM apart, and this cohort has"):
        recalibrate(tiny_model.path, with_table(other, table), tmp_path / "model.onnx", quiet=True)


def test_another_programs_graph_is_refused(tiny_model):
    model = onnx.load(tiny_model.path)
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.op_type = "Sigmoid"
            del node.attribute[:]
    with pytest.raises(ArtefactError, match="divides no logits by a temperature"):
        set_temperature(model, 2.0)


def test_export_calibrates_on_a_cohort_and_agrees_with_recalibration(tiny_run, tiny_cohort, other, found, tmp_path):
    exported = export_run(
        tiny_run[0], tiny_cohort, tmp_path / "model.onnx", fold=0, gate=False, calibrate_on=other, quiet=True
    )
    assert exported.metadata["calibration"]["cohort"] == found.after["calibration"]["cohort"]
    assert exported.metadata["temperature"] == pytest.approx(found.after["temperature"], rel=1e-4)
    assert exported.metadata["patient_temperature"] == pytest.approx(found.after["patient_temperature"], rel=1e-3)
    for name, threshold in exported.metadata["conformal"]["thresholds"].items():
        assert threshold == pytest.approx(found.after["conformal"]["thresholds"][name], abs=1e-4)
    split = tiny_run[0].predictions().query("fold == 0 and role == 'test'")
    assert exported.metadata["evidence"]["test_patients"] == split["patient_id"].nunique()


def test_fewer_images_of_each_patient_lower_the_bar_of_the_promise(tiny_model, other, tmp_path):
    found = recalibrate(tiny_model.path, other, tmp_path / "one.onnx", limit=1, quiet=True)
    assert found.after["calibration"]["images_per_patient"] == {"fewest": 1, "median": 1.0}
    assert found.after["calibration"]["patients"] == other.table["patient_id"].nunique()
    assert found.after["calibration"]["cohort"]["limit"] == 1
    again = recalibrate(tiny_model.path, other, tmp_path / "again.onnx", limit=1, quiet=True)
    assert again.after["temperature"] == found.after["temperature"]
    with pytest.raises(UsageError, match="at least one image"):
        recalibrate(tiny_model.path, other, tmp_path / "none.onnx", limit=0, quiet=True)


def test_export_refuses_the_cohort_of_training(tiny_run, tiny_cohort, tmp_path):
    with pytest.raises(UsageError, match="cohort of training"):
        export_run(tiny_run[0], tiny_cohort, tmp_path / "m.onnx", gate=False, calibrate_on=tiny_cohort, quiet=True)


def test_the_verb(tiny_model, tiny_cohort, other, tmp_path):
    out = tmp_path / "model.onnx"
    arguments = ["recalibrate", str(tiny_model.path), "--on", str(other.folder), "--out", str(out)]
    told = CliRunner().invoke(app, [*arguments, "--trained-on", str(tiny_cohort.folder)])
    assert told.exit_code == 0, told.output
    assert "passed" in told.output
    found = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(found.stdout)["metadata"]["calibration"]["patients"] == 12


def test_a_recalibrated_file_is_another_version(tiny_model, other, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["myosono.export.recalibrate"], "now", lambda: "2030-01-02T03:04:05+00:00")
    again = recalibrate(tiny_model.path, other, tmp_path / "again.onnx", quiet=True)
    before, after = load(tiny_model.path).model, load(again.path).model
    assert (before.name, before.version) == (after.name, tiny_model.metadata["created"])
    assert after.version == "2030-01-02T03:04:05+00:00"


def test_a_limit_counts_files_and_a_clip_is_one():
    table = pd.DataFrame(
        {"image_id": list("abcdef"), "patient_id": ["P1"] * 5 + ["P2"], "clip": ["loop", "loop", "loop", "", "", ""]}
    )
    for limit, files in ((1, 1), (2, 2), (9, 3)):
        kept = _limited(table, limit)
        mine = kept[kept["patient_id"] == "P1"]
        assert (mine["clip"] == "loop").sum() in (0, 3)
        assert len(set(files_of(mine))) == files
        assert (kept["patient_id"] == "P2").sum() == 1


def test_a_cohort_with_a_person_in_two_classes_calibrates(tmp_path):
    made = simulate_cohort(
        SimulationConfig.small(12, images_per_patient=2, scale=0.2, workers=1), tmp_path / "cohort", progress=False
    )
    table = made.table.copy()
    first, second = (table.loc[table["label"] == label, "patient_id"].iloc[0] for label in ("IBM", "PM"))
    table.loc[table["patient_id"] == second, "patient_id"] = first
    cohort = write_cohort(made.folder, table, replace(made.info, name="conflict"), allow_label_conflicts=True)
    found = cohort_predictions(
        lambda image: np.zeros(4, np.float32),
        cohort,
        task="auto",
        classes=cohort.info.classes,
        role="validation",
        quiet=True,
    )
    check_predictions(found, classes=cohort.info.classes)  # one target each
    assert found["patient_id"].nunique() == 12
