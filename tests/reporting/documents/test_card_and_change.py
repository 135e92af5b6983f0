"""The model card, its JSON, and the record of a change."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from myosono.errors import RunError, UsageError
from myosono.reporting.documents import (
    change_record,
    model_card,
    read_document_source,
    read_version,
    toolkit_card,
)
from myosono.reporting.documents.source import read_model

MITCHELL = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
    "Quantitative analyses", "Ethical considerations", "Caveats and recommendations",
]  # fmt: skip


def entry(document, title):
    return next(one for one in document.entries if one.title == title)


def rows(document, title):
    table = entry(document, title).answers[0].table
    return {} if table is None else {row[0]: row[1:] for row in table.rows}


def test_the_card_has_mitchells_sections(source):
    card = model_card(source)
    assert [section.title for section in card.sections] == MITCHELL
    assert all(svg.startswith("<svg") for section in card.sections for svg, _ in section.figures)
    assert entry(card, "Owner and contact").state == "open"
    assert entry(card, "Agreement of the exported file").state == "open"


def test_the_card_quotes_the_model_file(run_folder, tiny_model):
    card = model_card(read_document_source(run_folder, model=tiny_model.path))
    identity = entry(card, "Model, version and date").answers[0]
    assert tiny_model.path.name in identity.text
    assert entry(card, "Agreement of the exported file").state == "filled"


def test_a_model_of_another_run_is_refused(altered_run, tiny_model):
    other = altered_run(cohort={"content_hash": "0" * 64})
    with pytest.raises(UsageError, match="not exported from this run"):
        read_document_source(other, model=tiny_model.path)


def test_a_cohort_of_another_run_is_refused(altered_run, tiny_cohort):
    other = altered_run(cohort={"content_hash": "0" * 64})
    with pytest.raises(UsageError, match="not the cohort"):
        read_document_source(other, cohort=tiny_cohort.folder)


@pytest.mark.parametrize("name", ["metrics.json", "splits.parquet", "predictions.parquet", "recipe.yaml"])
def test_a_run_that_lacks_a_file_is_refused_by_name(altered_run, name):
    folder = altered_run()
    (folder / name).unlink()
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        read_document_source(folder)


def test_the_toolkit_json_holds_the_schemas_parts_and_the_runs_figures(source, tiny_run):
    card = json.loads(json.dumps(toolkit_card(source), allow_nan=False))
    assert set(card) == {
        "schema_version", "model_details", "model_parameters", "quantitative_analysis", "considerations",
    }  # fmt: skip
    figures = card["quantitative_analysis"]["performance_metrics"]
    assert {"type": "accuracy", "value": tiny_run[1].levels["patient"].accuracy.value, "slice": "patient"} in figures
    assert "Simulated images" in card["model_details"]["documentation"]
    assert "owners" not in card["model_details"]


def test_no_change_is_recorded_as_none(run_folder):
    version = read_version(run_folder)
    record = change_record(version, version)
    assert rows(record, "Re-training: recipe") == {}
    assert entry(record, "Re-training: recipe").answers[0].text.startswith("None of ")
    assert entry(record, "For whom the decision changed").answers[0].text.startswith("0 of 16 test patients")
    assert {row[2] for row in rows(record, "Performance evaluation").values()} == {"+0.00"}
    assert not [banner for banner in record.banners if banner.title == "Different tests"]
    assert entry(record, "Approval").state == "open"


def test_what_differs_is_listed_and_nothing_else(run_folder, altered_run):
    later = altered_run(model={"params": 1}, cohort={"licence": "CC BY 4.0"})
    recipe = later / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 2", "epochs: 3").replace("gain: 10.0", "gain: 5.0"))
    record = change_record(read_version(run_folder), read_version(later))
    assert rows(record, "Re-training: recipe") == {"epochs": ("2", "3"), "augmentation.gain": ("10", "5")}
    params = json.loads((run_folder / "run.json").read_text())["model"]["params"]
    assert rows(record, "Model") == {"params": (str(params), "1")}
    assert set(rows(record, "Data management: cohort, task and split")) == {"cohort.licence"}
    assert entry(record, "Software and machine").answers[0].table is None


def test_decisions_that_changed_are_counted(run_folder, altered_run):
    later = altered_run()
    metrics = json.loads((later / "metrics.json").read_text())
    right = [one for one in metrics["patients"] if one["label"] == one["target"]]
    changed = right[0] if right else metrics["patients"][0]
    changed["label"] = next(name for name in metrics["classes"] if name not in (changed["target"], changed["label"]))
    (later / "metrics.json").write_text(json.dumps(metrics))
    record = change_record(read_version(run_folder), read_version(later))
    answer = entry(record, "For whom the decision changed").answers[0]
    assert answer.text.startswith("1 of 16 test patients: 0 now right, ")
    assert [row[0] for row in answer.table.rows] == [changed["patient_id"]]
    assert ("1 now wrong" in answer.text) == bool(right)


def test_other_patients_are_not_compared_in_silence(run_folder, altered_run):
    other = altered_run(cohort={"content_hash": "0" * 64, "simulated": False})
    record = change_record(read_version(run_folder), read_version(other))
    titles = [banner.title for banner in record.banners]
    assert titles == ["Simulated images (earlier version)", "Different tests"]
    assert entry(record, "For whom the decision changed").state == "open"


def test_two_model_files(tiny_model):
    version = read_version(tiny_model.path)
    record = change_record(version, version)
    assert record.banners[0].title == "Simulated images (earlier and later version)"
    assert set(rows(record, "Performance evaluation")) >= {"Patients: Accuracy", "Images: Balanced accuracy"}
    for group in ("Model", "Software and machine", "Files and calibration"):
        assert entry(record, group).answers[0].text.startswith("None of ")


def test_model_files_of_two_seeds_were_not_tested_on_the_same_patients(tiny_model, monkeypatch):
    """Cohort, network, fold and number of test patients are the same: it had said that the patients are too."""
    first = read_model(tiny_model.path)

    def version(**split):
        metadata = {**first.metadata, "split": {**first.metadata["split"], **split}}
        monkeypatch.setattr(
            "myosono.reporting.documents.version.read_model", lambda _: replace(first, metadata=metadata)
        )
        return read_version(tiny_model.path)

    def said(earlier, later):
        record = change_record(earlier, later)
        return entry(record, "Performance evaluation").answers[0].text, [banner.title for banner in record.banners]

    text, titles = said(version(), version())
    assert text.startswith("The same patients were tested.")
    assert "Different tests" not in titles
    text, titles = said(version(), version(roles_sha256="0" * 64))
    assert text.startswith("Different patients were tested or trained on.")
    assert "Different tests" in titles
    text, titles = said(version(), version(roles_sha256=None))
    assert text.startswith("It is unknown whether the same patients were tested: on whom is not said by model.onnx (")
    assert "Perhaps different tests" in titles


def test_figures_on_a_cohort_of_their_own_are_of_its_patients(tiny_model, monkeypatch):
    first = read_model(tiny_model.path)

    def version(**evidence):
        metadata = {**first.metadata, "evidence": {**first.metadata["evidence"], **evidence}}
        monkeypatch.setattr(
            "myosono.reporting.documents.version.read_model", lambda _: replace(first, metadata=metadata)
        )
        return read_version(tiny_model.path)

    assert version().test != version(cohort="third, content hash 0").test
    assert version(cohort="third, content hash 0").test == version(cohort="third, content hash 0").test


def test_the_model_of_another_seed_is_refused_by_the_card(altered_run, tiny_model):
    other = altered_run()
    splits = pd.read_parquet(other / "splits.parquet")
    splits.assign(fold=1 - splits["fold"]).to_parquet(other / "splits.parquet")
    with pytest.raises(UsageError, match="not exported from this run: it was trained and tested on other patients"):
        read_document_source(other, model=tiny_model.path)


def test_a_run_is_not_compared_with_a_model_file(run_folder, tiny_model):
    with pytest.raises(UsageError, match="name two of a kind"):
        change_record(read_version(run_folder), read_version(tiny_model.path))
