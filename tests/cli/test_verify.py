from __future__ import annotations

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.cli.verify import _targets
from myosono.cohort import write_cohort
from myosono.errors import ArtefactError, UsageError
from myosono.formats import ARTEFACT_METADATA_KEY
from myosono.pooling import pool_files
from myosono.reading import load
from myosono.reading.seal import seal


@pytest.fixture
def call():
    def invoke(*arguments):
        found = CliRunner().invoke(app, ["verify", *map(str, arguments)])
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    return invoke


def test_verify_on_a_cohort(call, tiny_model, tiny_cohort, tmp_path):
    record = tmp_path / "change.json"
    found = call(tiny_model.path, tiny_model.path, "--cohort", tiny_cohort.folder, "--json", "--out", record)
    told = json.loads(found.stdout)
    assert told == json.loads(record.read_text(encoding="utf-8"))
    assert told["images"] == len(tiny_cohort)
    assert told["patients"] == tiny_cohort.table["patient_id"].nunique()
    assert (told["max_logit_difference"], told["image_agreement"]) == (0, 1)
    assert {change["name"] for change in told["classes"]} == set(tiny_cohort.info.classes)


def test_verify_on_images_in_words(call, tiny_model, tiny_cohort):
    image = tiny_cohort.path_of(tiny_cohort.table["image_id"].iloc[0])
    shown = call(tiny_model.path, tiny_model.path, "--images", image, "--min-agreement", 1).stdout
    assert "1 images of 1 patients" in shown
    assert "Nothing moved." in shown
    assert "was not compared" in call(tiny_model.path, tiny_model.path).stdout


def test_unreadable_files_are_named(call, tiny_model, tiny_cohort, tmp_path):
    (tmp_path / "P1_RD_1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "P1_RD_2.png").write_bytes(tiny_cohort.path_of(tiny_cohort.table["image_id"].iloc[0]).read_bytes())
    told = json.loads(call(tiny_model.path, tiny_model.path, "--images", tmp_path, "--json").stdout)
    assert told["images"] == 1
    assert [one["path"].endswith("P1_RD_1.png") for one in told["failed"]] == [True]
    gate = call(tiny_model.path, tiny_model.path, "--images", tmp_path, "--min-agreement", 1)
    assert gate.exit_code == 1, "a gate had passed on a part of the images"
    assert "could not be read" in call(tiny_model.path, tiny_model.path, "--images", tmp_path).stdout


def test_too_little_agreement_is_an_error(call, tiny_model, tiny_cohort, monkeypatch):
    from myosono.reading.change_record import ChangeRecord

    monkeypatch.setattr(ChangeRecord, "image_agreement", property(lambda _: 0.5))
    image = tiny_cohort.path_of(tiny_cohort.table["image_id"].iloc[0])
    with pytest.raises(ArtefactError, match=r"50\.00% of images keep their decision"):
        call(tiny_model.path, tiny_model.path, "--images", image, "--min-agreement", 0.99)


def test_unusable_options(call, tiny_model, tmp_path):
    with pytest.raises(UsageError, match="exclude each other"):
        call(tiny_model.path, tiny_model.path, "--images", tmp_path, "--cohort", tmp_path)
    for share in (-1, 2, 0.5):
        with pytest.raises(UsageError, match="--min-agreement"):
            call(tiny_model.path, tiny_model.path, "--min-agreement", share)


def test_a_damaged_file_is_one_line_and_exit_1(tiny_model, tmp_path):
    (tmp_path / "cut.onnx").write_bytes(tiny_model.path.read_bytes()[:5000])
    command = [sys.executable, "-m", "myosono.cli", "verify", str(tiny_model.path), str(tmp_path / "cut.onnx")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "cut.onnx" in found.stderr
    assert "Traceback" not in found.stderr


def telling(tiny_model, path, answer):
    """The same network with another patient rule: whoever has enough images is told ``answer``."""
    model = onnx.load(tiny_model.path)
    metadata = json.loads(json.dumps(tiny_model.metadata))
    metadata["conformal"]["thresholds"] = {name: 1 if name == answer else 0 for name in metadata["classes"]}
    metadata["calibration"]["images_per_patient"]["fewest"] = 1
    del metadata["grey"]
    del model.metadata_props[:]
    model.metadata_props.add(key=ARTEFACT_METADATA_KEY, value=json.dumps(metadata))
    path.write_bytes(seal(model.SerializeToString()))
    return path


@pytest.fixture
def pair(tiny_model, tmp_path):
    return telling(tiny_model, tmp_path / "normal.onnx", "Normal"), telling(tiny_model, tmp_path / "ibm.onnx", "IBM")


@pytest.fixture
def altered(tiny_cohort, tmp_path):
    """Writes the tiny cohort with another table."""

    def write(change):
        folder = tmp_path / "altered"
        folder.mkdir()
        shutil.copytree(tiny_cohort.folder / "images", folder / "images")
        return write_cohort(folder, change(tiny_cohort.table.copy()), tiny_cohort.info)

    return write


def test_patients_who_are_told_something_else_fail_the_gate(call, pair, tiny_cohort):
    told = json.loads(call(*pair, "--cohort", tiny_cohort.folder, "--json").stdout)
    assert (told["image_agreement"], told["patient_agreement"]) == (1, 0)
    assert {(one["before"], one["after"]) for one in told["moved_patients"]} == {("Normal", "IBM")}
    with pytest.raises(ArtefactError, match=r"ibm\.onnx: 0\.00% of patients are told the same"):
        call(*pair, "--cohort", tiny_cohort.folder, "--min-agreement", 0.99)


def test_a_cohorts_clip_counts_once(call, pair, altered):
    def three_frames(table):
        table["clip"] = ""
        mine = table.index[table["patient_id"] == table["patient_id"].iloc[0]]
        table.loc[mine[:2], "clip"] = "loop.dcm"
        return table

    cohort = altered(three_frames)
    mine = cohort.table[cohort.table["patient_id"] == cohort.table["patient_id"].iloc[0]]
    told = json.loads(call(*pair, "--cohort", cohort.folder, "--json").stdout)
    (found,) = (one for one in told["moved_patients"] if one["patient_id"] == mine["patient_id"].iloc[0])
    reader = load(pair[0])
    images = reader.read([cohort.image(name) for name in mine["image_id"]]).images
    table = np.array([list(image.probabilities.values()) for image in images])
    _, pooled, _ = pool_files(table, ["P"] * len(images), ["loop", "loop", "still"])
    expected = reader.artefact.patient_rule.calibrate(pooled[0])
    np.testing.assert_allclose(list(found["probabilities_before"].values()), expected)


def test_labels_are_read_as_the_models_task_reads_them(tiny_cohort):
    labels = tiny_cohort.table["label"]
    affected = _targets(tiny_cohort, SimpleNamespace(metadata={"task": "affected"}, classes=("Normal", "affected")))
    assert (affected == labels.where(labels == "Normal", "affected")).all()
    other = _targets(tiny_cohort, SimpleNamespace(metadata={"task": "ibm_vs_other"}, classes=("other", "IBM")))
    assert (other.isna() == (labels == "Normal")).all()


def test_labels_that_are_no_class_are_counted_and_left_out(call, tiny_model, tiny_cohort, altered):
    cohort = altered(lambda table: table.replace({"label": {"PM": "benign"}}))
    count = int((tiny_cohort.table["label"] == "PM").sum())
    told = json.loads(call(tiny_model.path, tiny_model.path, "--cohort", cohort.folder, "--json").stdout)
    assert told["left_out"] == {"benign": count}
    assert told["images"] == sum(change["images"] for change in told["classes"]) == len(tiny_cohort) - count
    shown = call(tiny_model.path, tiny_model.path, "--cohort", cohort.folder).stdout
    assert f"no class of the models' task: benign ({count})" in shown


def test_a_cohort_of_other_classes_is_refused(call, tiny_model, altered):
    cohort = altered(lambda table: table.assign(label=table["label"].map(lambda label: f"not {label}")))
    with pytest.raises(UsageError, match="this cohort holds none of them: its labels are not DM, not IBM"):
        call(tiny_model.path, tiny_model.path, "--cohort", cohort.folder)
