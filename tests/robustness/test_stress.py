"""A stress test from the model file to the page: held-out patients, pairing, determinism, the verb."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.cohort import make_split, roles_sha256
from myosono.errors import ArtefactError, RunError, UsageError
from myosono.evaluation import PatientBootstrap
from myosono.reading import Artefact
from myosono.reading.decision import PatientRule
from myosono.reporting.stress_report import stress_banners
from myosono.robustness import DEGRADATIONS, scoring, stress
from myosono.robustness.held_out import exposure, held_out_ids
from myosono.robustness.scoring import Answers, HeldOut, score_answers

WAYS = ("gain", "jpeg")


@pytest.fixture(scope="module")
def found(tiny_model, tiny_cohort, tiny_run):
    run, _ = tiny_run
    return stress(
        [tiny_model.path, tiny_model.path], tiny_cohort, runs=[run.path], degradations=WAYS, limit=2, resamples=50
    )


def test_only_test_patients_of_the_fold_are_read(found, tiny_run):
    run, _ = tiny_run
    split = pd.read_parquet(run.path / "splits.parquet")
    tested = split[(split["fold"] == 0) & (split["role"] == "test")]
    assert [model.standing for model in found.models] == ["held_out", "held_out"]
    assert 0 < found.images < len(tested)
    assert found.images <= 2 * found.patients
    assert [banner.tone for banner in stress_banners(found)] == ["amber"]  # simulated


def test_every_figure_is_there_once_and_the_unchanged_do_not_change(found):
    count = sum(len(DEGRADATIONS[name].strengths) for name in WAYS)
    assert len(found.rows) == 2 * count * 2 * 5
    neutral = [row for row in found.rows if row.unchanged]
    assert {row.degradation for row in neutral} == set(WAYS)
    assert {row.change.value for row in neutral} == {0.0}
    one_value = {row.estimate.value for row in neutral if (row.level, row.metric) == ("image", "nll")}
    assert len(one_value) == 1, "unchanged images are the same under every degradation"


def test_a_comparison_is_written_with_its_differences(found, tmp_path):
    """Writing had failed as soon as a second model was tested."""
    from myosono.reporting import write_stress

    write_stress(tmp_path, found)
    with (tmp_path / "stress.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found.rows)
    second = [row for row in rows if row["model"] == found.models[1].name]
    assert any(row["difference"] not in ("", None) for row in second)
    assert all(row["difference"] == "" for row in rows if row["model"] == found.models[0].name)


def test_a_model_against_itself_differs_by_nothing(found):
    first, second = (model.name for model in found.models)
    assert first != second
    assert all(row.difference is None for row in found.select(model=first))
    assert {row.difference.value for row in found.select(model=second)} <= {0.0, None}


def test_same_seed_same_rows(found, tiny_model, tiny_cohort, tiny_run):
    run, _ = tiny_run
    again = stress(
        [tiny_model.path, tiny_model.path], tiny_cohort, runs=[run.path], degradations=WAYS, limit=2, resamples=50
    )
    assert again.rows == found.rows


def of_fold(metadata, run, fold):
    rows = pd.read_parquet(run.path / "splits.parquet").query("fold == @fold")
    known = {"fold": fold, "roles_sha256": roles_sha256(rows["image_id"], rows["role"])}
    return {**metadata, "split": {**metadata["split"], **known}}


def test_what_is_known_of_training_patients(tiny_model, tiny_cohort, tiny_run, tmp_path):
    run, _ = tiny_run
    metadata = Artefact(tiny_model.path).metadata
    unknown = exposure(metadata, tiny_cohort)
    assert (unknown.standing, unknown.images) == ("unknown", None)
    assert "--run" in unknown.statement
    assert held_out_ids(tiny_cohort, [unknown]) == list(tiny_cohort.table["image_id"])
    other = exposure({**metadata, "network": "another"}, tiny_cohort, [run.path])
    assert other.standing == "unknown", "another network's run says nothing of this model"
    foreign = {**metadata, "cohort": {"name": "else", "content_hash": "0"}}
    assert exposure(foreign, tiny_cohort, [run.path]).standing == "other_cohort"
    here = {"cohort": {"content_hash": tiny_cohort.info.content_hash}}
    assert exposure({**foreign, "calibration": here}, tiny_cohort).standing == "calibrated"
    leaky = {**metadata, "split": {**metadata["split"], "leaks": True}}
    assert exposure(leaky, tiny_cohort, [run.path]).standing == "leaking"
    first, second = (exposure(of_fold(metadata, run, fold), tiny_cohort, [run.path]) for fold in (0, 1))
    with pytest.raises(UsageError, match="no image is held out for all"):
        held_out_ids(tiny_cohort, [first, second])
    with pytest.raises(RunError, match=r"run\.json is missing"):
        exposure(metadata, tiny_cohort, [tmp_path])


@pytest.fixture
def other_seed(tiny_cohort, tiny_run, tmp_path):
    """A run of the same cohort, network and kind of split, that tests other patients."""
    folder = tmp_path / "seed1"
    shutil.copytree(tiny_run[0].path, folder, ignore=shutil.ignore_patterns("*.ckpt", "*.html"))
    names = tiny_cohort.table["label"]
    split = make_split(tiny_cohort.table, folds=2, seed=1, validation_fraction=0.4, targets=names)
    split.table.to_parquet(folder / "splits.parquet")
    return folder


def test_a_run_of_another_seed_holds_nobody_out(tiny_model, tiny_cohort, tiny_run, other_seed):
    """Images that the model had learned from were called held out."""
    run, _ = tiny_run
    metadata = Artefact(tiny_model.path).metadata
    found = exposure(metadata, tiny_cohort, [other_seed])
    assert (found.standing, found.images) == ("unknown", None)
    assert "none of the runs given" in found.statement
    assert exposure(metadata, tiny_cohort, [other_seed, run.path]).standing == "held_out"
    one_fold_more = of_fold(metadata, run, 1)["split"] | {"fold": 0}
    assert exposure({**metadata, "split": one_fold_more}, tiny_cohort, [run.path]).standing == "unknown"


def test_a_file_that_does_not_name_its_patients_is_not_guessed_about(found, tiny_model, tiny_cohort, other_seed):
    metadata = Artefact(tiny_model.path).metadata
    split = {key: value for key, value in metadata["split"].items() if key != "roles_sha256"}
    known = exposure({**metadata, "split": split}, tiny_cohort, [other_seed])
    tested = pd.read_parquet(other_seed / "splits.parquet").query("fold == 0 and role == 'test'")
    assert (known.standing, known.images) == ("unproven", frozenset(tested["image_id"]))
    assert str(other_seed) in known.statement
    risky = replace(found, models=(replace(found.models[0], standing=known.standing, statement=known.statement),))
    assert stress_banners(risky)[0].tone == "red"
    assert "If it was not, the figures overestimate." in stress_banners(risky)[0].text


def test_training_patients_are_warned_of_in_red(found):
    risky = replace(found, models=(replace(found.models[0], standing="unknown", statement="was trained on this"),))
    assert stress_banners(risky)[0].tone == "red"


def test_changes_are_paired_by_patient():
    """Two patients out of ten are lost: the interval of the change is that of two in ten, not of two shares."""
    patients = [f"P{number}" for number in range(10)]
    targets = np.arange(10) % 2
    right = np.where(np.eye(2)[targets] > 0, 0.9, 0.1)
    wrong = right.copy()
    wrong[:2] = wrong[:2, ::-1]
    gain = DEGRADATIONS["gain"]
    rule = PatientRule(("a", "b"), 1.0, (None, None), 0.1, 10, 1, ())
    answers = Answers("m", rule, np.stack([right, wrong]), *np.zeros((2, 2, 10), bool))
    tested = HeldOut(patients, targets, range(10))
    rows = score_answers([answers], tested, [(gain, 0.0), (gain, 6.0)], resamples=400, seed=0)
    (row,) = [one for one in rows if (one.strength, one.level, one.metric) == (6.0, "image", "accuracy")]
    draws = PatientBootstrap(patients, resamples=400, seed=0).counts[:, :2].sum(axis=1) / 10
    assert row.change.value == pytest.approx(-0.2)
    assert (row.change.lo, row.change.hi) == pytest.approx(tuple(-np.quantile(draws, [0.975, 0.025])))


def test_a_clip_counts_as_one_image_of_its_patient_and_a_person_of_two_classes_as_two():
    """As the reader pools: seven frames of one clip had outvoted two stills, and patients were counted by name."""
    patients = ["A"] * 9 + ["B", "C", "C"]
    targets = np.array([0] * 9 + [1, 0, 1])
    files = ["clip"] * 7 + list(range(5))
    says_a = np.array([0.1] * 7 + [0.9, 0.9] + [0.1, 0.9, 0.1])
    answers = Answers(
        "m",
        PatientRule(("a", "b"), 1.0, (None, None), 0.1, 10, 1, ()),
        np.stack([says_a, 1 - says_a], axis=1)[None],
        refused=np.zeros((1, 12), bool),
        doubted=np.array([[True] * 7 + [False] * 5]),
    )
    rows = score_answers(
        [answers], HeldOut(patients, targets, files), [(DEGRADATIONS["gain"], 0.0)], resamples=0, seed=0
    )
    found = {(row.level, row.metric): row for row in rows}
    assert found["patient", "accuracy"].estimate.value == 1.0  # A: (0.1 + 0.9 + 0.9) / 3 for class a
    assert found["patient", "accuracy"].units == 4
    assert found["patient", "accuracy"].doubted == 0.0  # one of three files of A
    assert found["image", "accuracy"].units == 12


def test_models_of_other_classes_are_refused(tiny_model, tiny_cohort, monkeypatch):
    from myosono.robustness.stress import _Observed

    monkeypatch.setattr(_Observed, "classes", property(lambda self: (str(id(self)), "b")))
    with pytest.raises(ArtefactError, match="knows the classes"):
        stress([tiny_model.path, tiny_model.path], tiny_cohort)


@pytest.fixture(scope="module")
def written(tiny_model, tiny_cohort, tiny_run, tmp_path_factory):
    run, _ = tiny_run
    out = tmp_path_factory.mktemp("stress") / "out"
    arguments = [
        "stress", tiny_model.path, tiny_cohort.folder, "--run", run.path, "--only", "crop", "--limit", 1,
        "--resamples", 20, "--out", out, "--json",
    ]  # fmt: skip
    return out, CliRunner().invoke(app, [str(value) for value in arguments], catch_exceptions=False)


def test_verb_writes_page_tables_and_figures(written):
    out, called = written
    told = json.loads(called.stdout)
    assert told == json.loads((out / "stress.json").read_text(encoding="utf-8"))
    with (out / "stress.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(told["rows"]) == 5 * 2 * 5
    assert float(rows[0]["value"]) == told["rows"][0]["value"]
    page = (out / "stress.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 10
    assert "Simulated images" in page
    for title in ("Macro-AUC", "Calibration error (ECE) of images", "Dotted line: the unchanged image"):
        assert title in page
    assert "max-width: none !important" not in page  # one panel is not blown up to the width of the page
    assert {path.name for path in (out / "figures").iterdir()} >= {"image_ece.svg", "patient_auc.svg"}


def test_unusable_options(tiny_model, tiny_cohort, tmp_path):
    def call(*more):
        CliRunner().invoke(
            app, ["stress", str(tiny_model.path), str(tiny_cohort.folder), *map(str, more)], catch_exceptions=False
        )

    with pytest.raises(UsageError, match="unknown degradation"):
        call("--only", "fog", "--out", tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        call("--out", tmp_path / "file")


def test_the_room_needs_no_torch():
    code = "import sys, myosono.robustness, myosono.reporting.stress_report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_patients_of_mostly_doubted_images_are_counted_without_the_refused_ones():
    patients = ["A", "A", "A", "B", "B", "C"]
    doubted = np.array([1, 1, 0, 1, 0, 0], bool)
    refused = np.array([0, 0, 0, 0, 1, 0], bool)
    found = scoring._doubted(doubted, refused, HeldOut(patients, np.zeros(6, np.intp), range(6)))
    assert found == {"image": pytest.approx(0.5), "patient": pytest.approx(2 / 3)}


def test_dark_images_are_doubted(found):
    shares = {row.strength: row.doubted for row in found.select(degradation="gain", level="image", metric="auc")}
    assert max(shares, key=shares.__getitem__) in (min(shares), max(shares))
    assert shares[0.0] < 0.5
