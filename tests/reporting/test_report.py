from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myosono.errors import RunError
from myosono.evaluation import Estimate, Evaluation, evaluate
from myosono.reporting import write_evaluation_report, write_run_report
from myosono.reporting.facts import RunFacts
from myosono.reporting.statements import headline, number

CLASSES = ("Normal", "IBM", "DM")


def study(patients: int = 30, *, validation: bool = True) -> pd.DataFrame:
    rng, rows = np.random.default_rng(0), []
    for role, shift in [("test", 0), ("validation", 1)][: 2 if validation else 1]:
        for patient in range(patients):
            for image, muscle in enumerate(("D", "FDP")):
                p = rng.dirichlet(np.ones(3) + 2 * np.eye(3)[patient % 3])
                fold = (patient // 3 + shift) % 3
                rows.append([f"{patient}/{image}", f"<P{patient}>", muscle, "L", fold, role, CLASSES[patient % 3], *p])
    columns = ["image_id", "patient_id", "muscle", "side", "fold", "role", "target", *[f"p_{name}" for name in CLASSES]]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(study(), resamples=50)


def make_run(folder: Path, **changes: object) -> Path:
    facts = {
        "format": 1,
        "status": "finished",
        "command": "myosono train cohort --out run",
        "created": "2025-01-01T00:00:00+00:00",
        "versions": {"myosono": "0.0.1", "torch": "2.6"},
        "machine": {"system": "Linux"},
        "cohort": {"name": "real", "content_hash": "c0ffee" * 8, "simulated": False, "images": 60, "patients": 30},
        "task": "three",
        "split": {"kind": "patient", "leaks": False, "folds": 3, "seed": 0, "overlap": []},
        "model": {"name": "stanet_s", "params": 812_344, "macs": 85_200_000},
    }
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(facts | changes))
    (folder / "recipe.yaml").write_text("model: stanet_s\nepochs: 3\n")
    log = {
        "epoch": [0, 1],
        "train_loss": [1.0, 0.5],
        "val_loss": [1.1, 0.8],
        "val_patient_balanced_accuracy": [0.4, 0.6],
    }
    (folder / "fold_0").mkdir(exist_ok=True)
    pd.DataFrame(log).to_csv(folder / "fold_0" / "log.csv", index=False)
    return folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch):
    """For tests of words: figures take seconds."""
    nothing = {"confusion": [], "roc": [], "reliability": [], "muscles": "", "patients": "", "training": None}
    monkeypatch.setattr("myosono.reporting.run_report._figures", lambda *_: nothing)


class Page(HTMLParser):
    """Counts what a browser would load, and checks that tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "link", "iframe", "img", "image", "object", "embed"):
            self.loads.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag not in ("meta", "br", "hr", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_self_contained_and_well_formed(tmp_path: Path, found: Evaluation):
    text = write_run_report(make_run(tmp_path), found).read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert page.open == []
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert "@import" not in text
    sections = ["levels", "classes", "patients", "muscles", "calibration", "sets", "folds", "made", "read"]
    assert [name for name in page.ids if name in sections] == sections
    assert text.count("<svg") == text.count('role="img"') == 3 + 3 + 4 + 3
    assert text.count("<caption>") == text.count("<table")
    assert len(text) < 400_000


@pytest.mark.usefixtures("no_figures")
def test_headline_facts_and_escaping(tmp_path: Path, found: Evaluation):
    text = write_run_report(make_run(tmp_path), found).read_text(encoding="utf-8")
    assert re.search(
        r"<title>Patient-level accuracy 0\.\d\d \(95 % CI 0\.\d\d–\d\.\d\d\) over 30 patients, 3 patient-level", text
    )
    for said in ("c0ffee" * 8, "epochs: 3", "myosono train cohort --out run", "torch 2.6", "85.2 million"):
        assert said in text
    assert "flexor digitorum profundus" in text
    assert "<P1>" not in text
    assert "banner red" not in text
    assert "banner amber" not in text


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("classes", "task"), [(["Normal", "IBM", "PM", "DM"], "four_class"), (["sick", "well"], "label")]
)
def test_a_task_left_to_the_labels_is_named(tmp_path: Path, found: Evaluation, classes: list[str], task: str):
    text = write_run_report(make_run(tmp_path, task="auto", classes=classes), found).read_text(encoding="utf-8")
    assert f"<dt>Task</dt><dd>{task}</dd>" in text


@pytest.mark.usefixtures("no_figures")
def test_a_range_that_says_nothing_is_left_out(tmp_path: Path, found: Evaluation):
    for low, said in ((1.0, False), (0.78, True)):
        altered = replace(found, conformal=replace(found.conformal, coverage_range=(low, 1.0)))
        text = write_run_report(make_run(tmp_path), altered).read_text(encoding="utf-8")
        assert ("truly covers between" in text) is said


@pytest.mark.usefixtures("no_figures")
def test_a_leaking_split_is_red(tmp_path: Path, found: Evaluation):
    overlap = [{"test": 30, "patient_in_train": 1.0}, {"test": 10, "patient_in_train": 0.6}]
    split = {"kind": "image", "leaks": True, "folds": 3, "seed": 0, "overlap": overlap}
    text = write_run_report(make_run(tmp_path, split=split), found).read_text(encoding="utf-8")
    assert 'class="banner red"' in text
    assert "90 % of test images belong to patients also seen in training" in text
    assert "3 image-level folds" in text


@pytest.mark.usefixtures("no_figures")
def test_a_simulated_cohort_is_amber(tmp_path: Path, found: Evaluation):
    text = write_run_report(make_run(tmp_path, cohort={"simulated": True}), found).read_text(encoding="utf-8")
    assert 'class="banner amber"' in text
    assert "not evidence about patients" in text


def test_predictions_of_another_tool(tmp_path: Path):
    bare = study(validation=False)[["patient_id", "target", *[f"p_{name}" for name in CLASSES]]]
    path = write_evaluation_report(tmp_path / "new", evaluate(bare, resamples=20), source="/somewhere/them.csv")
    text = path.read_text(encoding="utf-8")
    assert Page(text).loads == []
    assert "them.csv" in text
    assert "/somewhere" not in text
    assert "Unknown split" in text
    assert "No validation rows" in text
    assert "Images, as given" in text
    assert "Images, before" not in text


@pytest.mark.usefixtures("no_figures")
def test_a_foreign_table_that_shows_its_leak_is_red(tmp_path: Path):
    table = study(validation=False)
    table["fold"] = np.arange(len(table)) % 2
    text = write_evaluation_report(tmp_path, evaluate(table, resamples=20), source="x.csv").read_text(encoding="utf-8")
    assert 'class="banner red"' in text


@pytest.mark.usefixtures("no_figures")
def test_an_empty_run_folder_is_tolerated_and_a_damaged_one_is_not(tmp_path: Path, found: Evaluation):
    assert write_run_report(tmp_path, found).is_file()
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json: is damaged"):
        write_run_report(tmp_path, found)


def test_undefined_figures_are_dashes(tmp_path: Path):
    one = study(4)
    text = write_evaluation_report(
        tmp_path, evaluate(one[one["target"] != "DM"], resamples=20), source="x.csv"
    ).read_text()
    assert "No test patient has class DM" in text
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


@pytest.mark.usefixtures("no_figures")
def test_a_cost_is_said_with_the_input_that_it_was_counted_at(tmp_path: Path, found: Evaluation):
    """A run at 64 pixels had the cost at 224 as its own."""
    model = {"name": "stanet_s", "params": 812_344, "macs": 31_000_000, "macs_input": [1, 224, 224]}
    text = write_run_report(make_run(tmp_path, model=model), found).read_text(encoding="utf-8")
    assert "31.0 million multiply-accumulates per image at an input of 224 × 224 pixels" in text


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "1.00"), (299 / 300, "0.997"), (0.99996, "> 0.999"), (0.0, "0.00"), (0.001, "0.001")]
)
def test_only_what_is_1_or_0_is_said_to_be(found: Evaluation, value: float, said: str):
    assert number(value) == said
    level = replace(found.levels["patient"], accuracy=Estimate(value, 0.9951, 0.99996))
    told = headline(replace(found, levels={**found.levels, "patient": level}), RunFacts())
    assert f"accuracy {said} (95 % CI 0.995–1.000)" in told
