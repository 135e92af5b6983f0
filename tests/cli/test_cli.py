"""The verbs as a user meets them: output, exit codes, one-line errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "myosono.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def one_line(found: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    assert found.stderr.strip().count("\n") == 0, found.stderr
    for word in words:
        assert word in found.stderr


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for seed, name in enumerate(("P1_RD_1", "P1_LG_1")):
        grey = np.random.default_rng(seed).integers(0, 256, (120, 100), dtype=np.uint8)
        Image.fromarray(grey).save(folder / f"{name}.png")
    return folder


def test_help_names_every_verb():
    found = run("--help")
    assert found.returncode == 0
    verbs = "demo simulate import audit train evaluate compare profile reproduce export verify stress document read"
    for verb in [*verbs.split(), "explain", "recalibrate", "reference", "models"]:
        assert verb in found.stdout


@pytest.mark.parametrize(
    ("verb", "words"), [("import", "(?P<patient>P\\d+)_"), ("deidentify", "<pseudonym>/<new UID>.dcm")]
)
def test_help_keeps_what_stands_in_angle_brackets(verb, words):
    found = "".join(run(verb, "--help").stdout.replace("│", "").split())
    assert words.replace(" ", "") in found


def test_version():
    assert run("--version").stdout.startswith("myosono ")


@pytest.mark.parametrize("arguments", [["raed"], ["read"], ["read", "--colour"], ["train", "c"]])
def test_usage_errors_exit_with_2(arguments):
    found = run(*arguments)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


def test_read_table_json_and_overlays(study, tiny_model, tmp_path):
    shown = run("read", study, "--model", tiny_model.path, "--out", tmp_path / "out")
    assert shown.returncode == 0, shown.stderr
    assert "simulation-trained, not for clinical use" in shown.stdout
    for heading in ("patients", "muscles", "images"):
        assert heading in shown.stdout
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    told = run("read", study, "--model", tiny_model.path, "--json")
    assert json.loads(told.stdout) == json.loads((tmp_path / "out" / "reading.json").read_text())


@pytest.mark.parametrize("option", [("--muscle", "X"), ("--muscle", "biceps"), ("--side", "Q")])
def test_read_refuses_a_site_that_nobody_knows(study, tiny_model, option):
    one_line(run("read", study, "--model", tiny_model.path, *option), 2, option[0], option[1])


def test_read_shows_frames_only_where_a_file_holds_several(study, tiny_model, tmp_path):
    assert "frame" not in run("read", study, "--model", tiny_model.path).stdout
    frames = [Image.open(path) for path in sorted(study.glob("*.png"))]
    frames[0].save(tmp_path / "P1_RD_1.tif", save_all=True, append_images=frames[1:])
    assert "frame" in run("read", tmp_path, "--model", tiny_model.path).stdout


def test_square_brackets_of_names_and_patterns_are_shown(study, tmp_path):
    shots = iter(sorted(study.glob("*.png")) * 3)
    for label in ("sick", "well"):
        for name in ("ab1", "cd2", "ef3"):
            (tmp_path / "images" / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(next(shots), tmp_path / "images" / label / f"{name}{label}.png")
    pattern, out = r"^([a-z]+\d[a-z])", tmp_path / "cohort[s]"
    found = run("import", tmp_path / "images", "--out", out, "--patient-pattern", pattern)
    assert found.returncode == 0, found.stderr
    assert f"patients by the pattern '{pattern}'" in found.stdout
    assert "cohort[s]" in found.stdout.replace("\n", "")


def test_read_lists_failures_and_exits_with_1(study, tiny_model, tmp_path):
    bad = tmp_path / "P1_RD_9.png"
    bad.write_bytes(b"")
    found = run("read", study, bad, "--model", tiny_model.path)
    assert found.returncode == 1
    assert "P1_RD_9.png" in found.stdout
    assert "P1_LG_1.png" in found.stdout
    assert "Traceback" not in found.stderr


def test_errors_are_one_line_with_the_file(study, tmp_path):
    one_line(run("read", tmp_path / "absent.png"), 1, "absent.png")
    one_line(run("read", study, "--model", study / "P1_RD_1.png"), 1, "P1_RD_1.png", "not a readable model file")
    one_line(run("train", tmp_path, "--out", tmp_path / "run"), 1, "cohort.json is missing")
    one_line(run("export", tmp_path, "--cohort", tmp_path, "--out", tmp_path / "m.onnx"), 1, "run.json is missing")
    one_line(run("evaluate", tmp_path / "absent.csv"), 2, "absent.csv")


@pytest.mark.parametrize(
    ("setting", "message"),
    [("epoch=3", "unknown setting 'epoch'"), ("epochs", "KEY=VALUE"), ("epochs=none", "epochs"), ("a: [=1", "a: [")],
)
def test_recipe_errors_exit_with_2(tiny_cohort, tmp_path, setting, message):
    one_line(run("train", tiny_cohort.folder, "--out", tmp_path / "run", "--set", setting), 2, message)


def test_profile_json_is_a_list_of_the_promised_objects():
    found = run("profile", "stanet_s", "stanet_xs", "--json", "--repeats", "3")
    small = json.loads(found.stdout)
    assert [item["name"] for item in small] == ["stanet_s", "stanet_xs"]
    for item in small:
        assert {"name", "params", "macs", "input", "file_bytes", "latency_ms", "macs_ratio_to_dual_branch"} <= set(item)
    assert small[0]["macs"] <= 87.1e6
    assert small[0]["macs_ratio_to_dual_branch"] <= 0.0025


def test_models_describes_files_and_lists_networks(tiny_model):
    found = json.loads(run("models", tiny_model.path, "--json").stdout)
    assert found["files"][0]["classes"] == ["Normal", "IBM", "PM", "DM"]
    assert {"stanet_s", "stanet_xs", "dual_branch"} <= {item["name"] for item in found["networks"]}


@pytest.mark.end_to_end
def test_the_whole_job_by_command(tmp_path):
    """Simulate, audit, train, evaluate, export, read: each verb takes what the one before it left."""
    cohort, out = tmp_path / "cohort", tmp_path / "run"
    made = run(
        "simulate", "--out", cohort, "--patients", "16", "--images-per-patient", "2", "--scale", "0.25", "--json"
    )
    assert json.loads(made.stdout)["images"] == 32
    assert run("audit", cohort).returncode == 0
    settings = [
        "--model",
        "stanet_xs",
        "--size",
        "64",
        "--epochs",
        "1",
        "--folds",
        "2",
        "--set",
        "validation_fraction=0.4",
    ]
    trained = run("train", cohort, "--out", out, *settings)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1" in trained.stderr
    assert (out / "report.html").stat().st_size > 10_000
    assert json.loads(run("evaluate", out, "--json").stdout)["counts"]["patients"] == 16
    exported = run("export", out, "--cohort", cohort, "--out", tmp_path / "m.onnx", "--json")
    assert json.loads(exported.stdout)["metadata"]["parity"]["argmax_agreement"] == 1.0
    read = run("read", cohort / "images", "--model", tmp_path / "m.onnx", "--json")
    assert len(json.loads(read.stdout)["patients"]) == 16


def test_every_setting_named_by_a_recipe_error_is_one_that_works(tiny_cohort, tmp_path):
    found = run("train", tiny_cohort.folder, "--out", tmp_path / "run", "--set", "epoch=3")
    named = found.stderr.split("Settings are: ")[1].strip().split(", ")
    assert {"epochs", "augmentation.flip"} <= set(named)
    from myosono.training import Recipe

    values = Recipe.model_validate({"teacher": {}}).model_dump()  # a section that is off by default
    for name in named:
        value = values
        for part in name.split("."):
            value = value[part]


def test_demo_begins_again_over_a_half_simulated_cohort(tmp_path, monkeypatch):
    """A kill while it simulated left images without a cohort.json, which the second try refused."""
    from myosono.cli import demo

    half = tmp_path / "cohort" / ".partial" / "images"
    half.mkdir(parents=True)
    (half / "P001_RD_1.png").write_bytes(b"half")
    monkeypatch.setattr(demo, "PATIENTS", 18)
    monkeypatch.setattr(demo, "IMAGES_PER_PATIENT", 1)
    monkeypatch.setattr(demo, "SCALE", 0.2)
    small = {"model": "stanet_xs", "size": 64, "epochs": 1, "folds": 2, "batch_size": 8}
    monkeypatch.setattr(demo, "DEMO_SETTINGS", small)
    demo.demo_command(out=tmp_path, seed=0, json=True)
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "model.onnx").is_file()


def test_simulate_replaces_a_cohort_only_when_asked_and_shows_any_name(tmp_path):
    """Its remedy had been an option that it lacked, and a folder named [ ended it with a traceback of rich."""
    out = tmp_path / "odd" / "[" / "x]"
    settings = ["--out", out, "--patients", "4", "--images-per-patient", "1", "--scale", "0.2", "--workers", "1"]
    made = run("simulate", *settings)
    assert made.returncode == 0, made.stderr
    assert "[/x]" in made.stdout.replace("\n", "")
    one_line(run("simulate", *settings), 1, "pass --overwrite")
    assert run("simulate", *settings, "--seed", "1", "--overwrite").returncode == 0
