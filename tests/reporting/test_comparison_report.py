"""The page of a comparison: whole, self-contained, and honest about what it rests on."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myosono.errors import RunError
from myosono.evaluation import Estimate
from myosono.evaluation.comparison import Condition, Contender, compare, make_entry
from myosono.evaluation.table import check_predictions
from myosono.reporting import write_comparison
from myosono.reporting.comparison_report import interval_text

FACTS = {
    "command": "myosono compare cohort --models a,b",
    "created": "2026-01-01",
    "versions": {"myosono": "0"},
    "machine": {"cpu": "one"},
    "cohort": "lung <real>",
    "simulated": False,
    "failed": {},
}
PROFILES = {"a": {"macs": 6e7, "latency_ms": 1.4, "file_bytes": 1.3e6}}


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    entries = []
    for model in ("a", "b"):
        for split, leaks in (("patient", False), ("image", True)):
            p = rng.random(40)
            rows = {"patient_id": [f"P{i // 2}" for i in range(40)], "image_id": [str(i) for i in range(40)]}
            table = pd.DataFrame({**rows, "target": ["xy"[i // 2 % 2] for i in range(40)], "p_x": 1 - p, "p_y": p})
            condition = Condition("lung <real>", "label", split, leaks)
            entries.append(make_entry(Contender(model), condition, 0, check_predictions(table), of_folds=1))
    return compare(entries, flagship=Contender("a"), resamples=50)


def test_page_table_and_json_agree(found, tmp_path):
    page = write_comparison(found, tmp_path, profiles=PROFILES, facts=FACTS)
    text = page.read_text()
    rows = list(csv.DictReader((tmp_path / "summary.csv").open()))
    kept = json.loads((tmp_path / "comparison.json").read_text())
    assert len(rows) == len(kept["scores"]) == 4
    for row in rows:
        assert f"{float(row['image_auc']):.3f}" in text
    assert FACTS["command"] in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "<real>" not in text


def test_leak_simulation_failures_and_missing_costs_are_said(found, tmp_path):
    facts = {**FACTS, "simulated": True, "failed": {"b · fold 1": "no room"}}
    text = write_comparison(
        found, tmp_path, profiles={}, facts=facts, missing_profile_reason="not measured"
    ).read_text()
    for said in ("A split that leaks", "Simulated images", "Not finished", "no room", "not measured"):
        assert said in text
    assert "A split that leaks" in write_comparison(found, tmp_path, profiles=PROFILES, facts=FACTS).read_text()


def test_a_model_without_a_cost_is_named(found, tmp_path):
    text = write_comparison(found, tmp_path, profiles=PROFILES, facts=FACTS).read_text()
    assert "Without a cost to draw: b" in text


def test_only_what_leaks_is_red(found, tmp_path):
    text = write_comparison(found, tmp_path, profiles=None, facts=FACTS).read_text()
    by_patient, by_image = text.split("<h2>lung &lt;real&gt;")[1:3]
    assert "patient split" in by_patient.split("</h2>")[0]
    assert "n leak" not in by_patient
    assert by_image.count("n leak") == 2 * 6


def test_pooled_differences_have_their_own_section_and_absent_facts_are_left_out(found, tmp_path):
    pool = tuple(replace(one, conditions=found.conditions) for one in found.paired)
    pooled = replace(found, paired=(*found.paired, *pool))
    text = write_comparison(pooled, tmp_path, profiles=None, facts={}).read_text()
    assert "Pooled over lung &lt;real&gt;, lung &lt;real&gt;" in text
    assert "Pooled over" not in write_comparison(found, tmp_path, profiles=None, facts={}).read_text()
    assert "<h3>Command</h3>" not in text


def test_a_page_that_cannot_be_written_is_said(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_comparison(found, tmp_path / "file", profiles=None, facts=FACTS)


def test_few_patients_are_said(found, tmp_path):
    text = write_comparison(found, tmp_path, profiles=PROFILES, facts=FACTS).read_text()
    assert "Few patients" not in text  # there are 20
    fewer = replace(found, paired=tuple(replace(one, patients=7) for one in found.paired))
    text = write_comparison(fewer, tmp_path, profiles=PROFILES, facts=FACTS).read_text()
    assert "7 in lung &lt;real&gt; · label · patient split" in text
    assert "fewer than 20 patients are too narrow" in text
    assert "b on 20 patients and 40 images, 7 of these patients shared" in text
    text = write_comparison(found, tmp_path, profiles=None, facts=FACTS).read_text()
    assert "Not the same patients" not in text
    assert "Models on the same patients" in text


def predictions(patients: range, skill: float) -> pd.DataFrame:
    """One image a patient; the later ones are the harder ones."""
    rng = np.random.default_rng(0)
    numbers = np.array(patients)
    logit = skill * (40 - numbers) / 20 * np.where(numbers % 2, 1, -1) + rng.normal(size=len(numbers))
    p = 1 / (1 + np.exp(-logit))
    rows = {"patient_id": [f"P{n}" for n in numbers], "image_id": [str(n) for n in numbers]}
    return pd.DataFrame({**rows, "target": ["xy"[n % 2] for n in numbers], "p_x": 1 - p, "p_y": p})


@pytest.mark.parametrize("flagship", ["all", "easy"])
def test_a_model_that_answered_for_some_patients_is_not_ranked_first_unseen(tmp_path, flagship):
    condition = Condition("mine", "label", "patient")
    entries = [
        make_entry(Contender(name), condition, 0, check_predictions(predictions(patients, 1.0)), of_folds=1)
        for name, patients in (("all", range(40)), ("easy", range(22)))
    ]
    part = compare(entries, flagship=Contender(flagship), resamples=20)
    scores = {score.contender.model: score for score in part.scores}
    assert scores["easy"].metrics["image"]["auc"].value > scores["all"].metrics["image"]["auc"].value
    other = scores["easy" if flagship == "all" else "all"]
    assert (part.shared_patients(other), part.most_patients(other)) == (22, 40)
    assert not part.same_units(condition)
    text = write_comparison(part, tmp_path, profiles=None, facts=FACTS).read_text()
    assert "Not the same patients" in text
    assert "all on 40 patients and 40 images" in text
    assert "easy on 22 patients and 22 images" in text
    assert "Models on the same patients" not in text
    table = text.split("<tbody>")[1]
    assert table.index("<code>all</code>") < table.index("<code>easy</code>")  # though its AUC is lower
    assert table.index("40 patients") < table.index("22 patients")


def test_a_model_that_left_out_images_of_its_patients_is_named_too(tmp_path):
    condition = Condition("mine", "label", "patient")
    whole = pd.concat(
        [predictions(range(30), 1.0), predictions(range(30), 0.5).assign(image_id=lambda d: d.image_id + "b")]
    )
    entries = [
        make_entry(Contender(name), condition, 0, check_predictions(rows), of_folds=1)
        for name, rows in (("all", whole), ("some", whole[:50]))
    ]
    part = compare(entries, flagship=Contender("all"), resamples=0)
    assert part.shared_patients(part.scores[1]) is None
    text = write_comparison(part, tmp_path, profiles=None, facts=FACTS).read_text()
    assert "some on 30 patients and 50 images" in text


def test_scores_and_intervals_have_the_same_decimals(found, tmp_path):
    assert interval_text(Estimate(0.999, 0.9981, 0.9999)) == "0.998 to 0.9999"
    assert interval_text(Estimate(0.8, 0.7, 1.0)) == "0.700 to 1.000"
    text = write_comparison(found, tmp_path, profiles=None, facts=FACTS).read_text()
    assert not re.search(r">\d\.\d\d to ", text)


def test_what_was_mended_in_a_table_is_on_the_page(found, tmp_path):
    facts = {**FACTS, "notes": ["b: rounded to 2 decimals"]}
    assert "<li>b: rounded" in write_comparison(found, tmp_path, profiles=None, facts=facts).read_text()


def test_a_table_that_goes_on_shows_it(found, tmp_path):
    text = write_comparison(found, tmp_path, profiles=None, facts=FACTS).read_text()
    assert "background-attachment: local, local, scroll, scroll" in text
