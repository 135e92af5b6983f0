from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.errors import ArtefactError, UsageError


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
    assert (told["max_logit_difference"], told["argmax_agreement"]) == (0, 1)
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

    monkeypatch.setattr(ChangeRecord, "argmax_agreement", property(lambda _: 0.5))
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
