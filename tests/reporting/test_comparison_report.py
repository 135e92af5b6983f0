"""The page of a comparison: whole, self-contained, and honest about what it rests on."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myosono.errors import RunError
from myosono.evaluation.comparison import Condition, Contender, compare, make_entry
from myosono.evaluation.table import check_predictions
from myosono.reporting import write_comparison

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
    assert "b on 7 of its 20" in text
    assert "A part of the patients" not in write_comparison(found, tmp_path, profiles=None, facts=FACTS).read_text()
