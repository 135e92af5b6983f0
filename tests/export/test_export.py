from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch

from myosono.errors import ArtefactError, RunError, UsageError
from myosono.export import OUTPUTS, export_run
from myosono.export import artefact as artefact_module
from myosono.training import Run
from myosono.training.sweep.cells import make_contest
from myosono.training.train import started_from


def test_parity_holds_on_images_of_their_own_sizes(tiny_model, tiny_cohort):
    assert tiny_model.parity.images == len(tiny_cohort)
    assert tiny_model.parity.max_logit_difference <= 1e-4
    assert tiny_model.parity.argmax_agreement == 1.0


def test_the_file_says_what_the_run_said_of_its_held_out_images(tiny_model, tiny_run):
    held_out = tiny_run[0].predictions().query("fold == 0")
    assert tiny_model.parity.predicted_images == len(held_out)
    assert tiny_model.parity.max_probability_difference <= 1e-3


def test_weights_that_are_not_those_of_the_stated_figures_are_refused(tiny_run, tiny_cohort, tmp_path):
    """Parity with torch alone would pass: file and torch both hold the other weights."""
    run = tiny_run[0]
    other = tmp_path / "run"
    shutil.copytree(run.path, other)
    path = Run.open(other).checkpoint(0)
    kept = torch.load(path, map_location="cpu", weights_only=True)
    for name, value in kept["state_dict"].items():
        if name.endswith("classifier.bias"):
            value += torch.tensor([1.0, 0, 0, 0])
    torch.save(kept, path)
    with pytest.raises(ArtefactError, match=r"gate failed: fp32 against the run's own predictions"):
        export_run(Run.open(other), tiny_cohort, tmp_path / "model.onnx", gate=False, quiet=True)
    assert not (tmp_path / "model.onnx").exists()


def test_a_stranger_needs_only_onnxruntime(tiny_model):
    session = onnxruntime.InferenceSession(str(tiny_model.path))
    assert [i.name for i in session.get_inputs()] == ["image"]
    for shape in [(498, 447), (64, 900), (20, 20)]:
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        outputs = dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"image": image}), strict=True))
        assert outputs["probabilities"].shape == (4,)
        assert outputs["probabilities"].sum() == pytest.approx(1, abs=1e-5)
        assert outputs["class_maps"].shape[0] == 4
        assert outputs["class_maps"].shape[1:] == outputs["shrinkage"].shape
        assert 0 <= outputs["shrinkage_fraction"] <= 1


def test_probabilities_are_the_tempered_softmax_of_logits(tiny_model):
    session = onnxruntime.InferenceSession(str(tiny_model.path))
    image = np.random.default_rng(1).integers(0, 256, (100, 100), dtype=np.uint8)
    probabilities, logits = session.run(["probabilities", "logits"], {"image": image})
    scaled = np.exp(logits / tiny_model.metadata["temperature"])
    np.testing.assert_allclose(probabilities, scaled / scaled.sum(), rtol=1e-4)


def test_the_metadata_travels_in_the_file_without_traces_of_this_machine(tiny_model):
    session = onnxruntime.InferenceSession(str(tiny_model.path))
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["myosono"])
    assert metadata == json.loads(json.dumps(tiny_model.metadata))
    assert metadata["simulated"] is True
    assert metadata["classes"] == ["Normal", "IBM", "PM", "DM"]
    assert metadata["started_from"] == "random weights"
    assert {"temperature", "conformal", "cohort", "split", "evidence", "versions", "parity"} <= set(metadata)
    assert b"site-packages" not in tiny_model.path.read_bytes()


def test_a_file_knows_who_trained_it_and_was_tested_by_the_hash_that_sweeps_use(tiny_model, tiny_run, tiny_cohort):
    contest = make_contest(tiny_cohort, tiny_run[0].recipe)
    assert tiny_model.metadata["split"]["roles_sha256"] == contest.roles_digest(0) != contest.roles_digest(1)


def test_a_file_says_which_weights_its_training_began_with(tiny_run, tiny_cohort, tmp_path):
    run, _ = tiny_run
    facts = run.facts | {"model": run.facts["model"] | {"started_from": started_from("stanet_s")}}
    found = export_run(replace(run, facts=facts), tiny_cohort, tmp_path / "model.onnx", fold=0, gate=False, quiet=True)
    assert "TimTrack" in found.metadata["started_from"]


def test_temperature_comes_from_validation_patients_alone(tiny_run, tiny_model):
    from myosono.evaluation import fit_temperature

    run, _ = tiny_run
    rows = run.predictions().query("fold == 0 and role == 'validation'")
    p = rows[[f"p_{name}" for name in run.classes]].to_numpy()
    targets = rows["target"].map(run.classes.index).to_numpy()
    assert tiny_model.metadata["temperature"] == fit_temperature(p, targets, rows["patient_id"].tolist())


def test_a_failed_parity_leaves_no_file(tiny_run, tiny_cohort, tmp_path, monkeypatch):
    export = artefact_module.to_onnx

    def broken(graph):
        model = export(graph)
        for tensor in model.graph.initializer:
            if tensor.name.endswith("classifier.bias"):
                values = onnx.numpy_helper.to_array(tensor) + np.float32([0.5, 0, 0, 0])
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return model

    monkeypatch.setattr(artefact_module, "to_onnx", broken)
    with pytest.raises(ArtefactError, match="gate failed: fp32 against torch: max"):
        export_run(tiny_run[0], tiny_cohort, tmp_path / "model.onnx", quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_fold_and_another_cohort_are_refused(tiny_run, tiny_cohort, tmp_path):
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    with pytest.raises(RunError, match="fold 9 is not finished"):
        export_run(tiny_run[0], tiny_cohort, tmp_path / "model.onnx", fold=9, quiet=True)
    other = simulate_cohort(
        SimulationConfig.small(4, images_per_patient=1, scale=0.2, seed=5, workers=1), tmp_path / "c", progress=False
    )
    with pytest.raises(UsageError, match="not the one"):
        export_run(tiny_run[0], other, tmp_path / "model.onnx", quiet=True)


def test_what_a_file_was_trained_on_are_the_training_images_of_its_fold(tiny_model, tiny_run, tiny_cohort):
    """All images of the cohort had been named, those that it was validated and tested on too."""
    run, _ = tiny_run
    split = pd.read_parquet(run.path / "splits.parquet")
    fold = tiny_model.metadata["split"]["fold"]
    rows = split[(split["fold"] == fold) & (split["role"] == "train")]
    patients = tiny_cohort.table.set_index("image_id").loc[rows["image_id"], "patient_id"].nunique()
    told = tiny_model.metadata["trained_on"]
    assert told.startswith(f"{len(rows)} simulated images of {patients} patients")
    assert len(rows) < len(tiny_cohort)
