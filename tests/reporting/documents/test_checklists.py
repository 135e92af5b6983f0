"""The items are those that were published, and nothing is answered that the run does not tell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from myosono.reporting.documents import claim_checklist, read_document_source, tripod_checklist
from myosono.reporting.documents.claim import ITEMS as CLAIM
from myosono.reporting.documents.data_phrases import characteristics
from myosono.reporting.documents.items import NO_PEOPLE, Item, fill
from myosono.reporting.documents.record import OPEN, Answer
from myosono.reporting.documents.tripod import ITEMS as TRIPOD

LETTERS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}


def test_claim_has_its_44_items_in_order():
    assert [item.number for item in CLAIM] == [str(number) for number in range(1, 45)]


def test_tripod_has_its_27_items_with_their_52_letters():
    expected = [f"{number}{letter}" for number in range(1, 28) for letter in LETTERS.get(number, " ")]
    assert [item.number for item in TRIPOD] == [name.strip() for name in expected]
    assert len(TRIPOD) == 52


@pytest.mark.parametrize("items", [CLAIM, TRIPOD])
def test_an_item_without_facts_tells_the_authors_what_to_do(items):
    for item in items:
        assert item.phrases or item.open, item.title


def test_states_follow_from_facts(source):
    def known(_):
        return Answer("known", "run.json")

    items = (
        Item("s", "both", (known,), open="Add."),
        Item("s", "fact", (known,)),
        Item("s", "nothing", (lambda _: None,)),
        Item("s", "people", (known,), open="Add.", people=True),
    )
    (section,) = fill(items, source)
    both, fact, nothing, people = section.entries
    assert (both.state, both.open) == ("partly filled", f"{OPEN}. Add.")
    assert (fact.state, fact.open) == ("filled", None)
    assert (nothing.state, nothing.answers) == ("open", ())
    assert nothing.open.startswith(OPEN)
    assert (people.state, people.not_applicable) == ("not applicable", NO_PEOPLE)


@pytest.mark.parametrize("make", [claim_checklist, tripod_checklist])
def test_people_are_open_for_a_real_cohort(make, altered_run):
    real = make(read_document_source(altered_run(cohort={"simulated": False})))
    assert real.counts["not applicable"] == 0
    assert not [banner for banner in real.banners if "Simulated" in banner.title]
    words = {entry.number: entry for entry in real.entries}
    ethics_or_rater = words["18" if make is claim_checklist else "17"]
    assert (ethics_or_rater.state, ethics_or_rater.answers) == ("open", ())


@pytest.mark.parametrize("make", [claim_checklist, tripod_checklist])
def test_a_simulated_run_says_so_and_asks_nothing_about_people(make, source):
    document = make(source)
    assert [banner.title for banner in document.banners] == ["Simulated images"]
    assert sum(document.counts.values()) == len(document.entries)
    assert document.counts["not applicable"] >= 8


def test_answers_carry_the_runs_own_figures(source, tiny_run):
    run, evaluation = tiny_run
    claim = {entry.number: entry for entry in claim_checklist(source).entries}
    accuracy = evaluation.levels["patient"].accuracy
    rows = {row[0]: row for row in claim["37"].answers[0].table.rows}
    assert rows["Patients"][2] == f"{accuracy.value:.2f} ({accuracy.lo:.2f}–{accuracy.hi:.2f})"
    params = run.facts["model"]["params"]
    assert f"{params:,} parameters" in claim["22"].answers[0].text
    assert "64 × 64" in claim["9"].answers[0].text
    assert "Disjoint by patient" in claim["20"].answers[0].text
    by_fold = claim["19"].answers[0].table.rows
    tested = [int(re.match(r"[\d,]+ / (\d+)", row[3])[1]) for row in by_fold]
    assert sum(tested) == evaluation.counts.patients == 16
    assert run.facts["cohort"]["content_hash"][:12] in claim["7"].answers[0].text


def test_a_leaking_split_stands_wherever_it_applies(altered_run):
    overlap = [{"test": 24, "patient_in_train": 1.0}]
    leaking = read_document_source(altered_run(split={"kind": "image", "leaks": True, "overlap": overlap}))
    for make, item in ((claim_checklist, "20"), (tripod_checklist, "12a")):
        document = make(leaking)
        assert document.banners[0].tone == "red"
        answers = [answer.text for entry in document.entries if entry.number == item for answer in entry.answers]
        assert any(text.startswith("Not disjoint by patient") for text in answers)
    summary = next(entry for entry in claim_checklist(leaking).entries if entry.number == "2")
    assert "overestimates" in summary.answers[0].text


def test_characteristics_need_the_cohort(run_folder, source, tiny_cohort):
    def of(given):
        return next(entry for entry in tripod_checklist(given).entries if entry.number == "20b").answers

    assert len(of(source)) == 1
    table = of(read_document_source(run_folder, cohort=tiny_cohort.folder))[1].table
    people = tiny_cohort.table.drop_duplicates("patient_id")
    assert {row[0]: int(row[1]) for row in table.rows} == people["label"].value_counts().to_dict()
    assert [row[0] for row in table.rows] == list(source.evaluation.classes)
    ibm = people[people["label"] == "IBM"]
    row = next(row for row in table.rows if row[0] == "IBM")
    assert row[2].startswith(f"{ibm['age'].mean():.1f} ± {ibm['age'].std():.1f}")
    assert row[3].startswith(f"{int((ibm['sex'] == 'F').sum())} of ")


def test_an_estimator_is_not_described_as_a_network(altered_run):
    forest = read_document_source(altered_run(model={"name": "rf_engineered", "kind": "estimator", "params": None}))
    said = " ".join(answer.text for entry in claim_checklist(forest).entries for answer in entry.answers)
    for word in ("pixels in", "learning rate", "Augmentation", "pretrained weights", "log loss"):
        assert word not in said
    assert "features engineered from the image" in said


def test_a_teacher_with_imagenet_weights_is_told(altered_run):
    folder = altered_run()
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    teacher = {"model": "t9", "pretrained": True, "epochs": 7, "weight": 0.8, "views": 12, "temperature": 2.0}
    text = yaml.safe_dump(recipe | {"teacher": teacher, "mixup": 0.2, "keep": "last"})
    (folder / "recipe.yaml").write_text(text)
    said = " ".join(
        answer.text for entry in claim_checklist(read_document_source(folder)).entries for answer in entry.answers
    )
    for words in (
        "teacher that starts from ImageNet",
        "Distilled from t9",
        "80% of the loss",
        "mixed in pairs",
        "no epoch is chosen",
        "after 1 epoch of warm-up",
    ):
        assert words in said


def test_teachers_of_the_models_own_kind_are_told_with_their_own_start(altered_run):
    own = {"started_from": "Features of a network"}
    facts = {"name": "stanet_s", "pretrained": True} | own
    folder = altered_run(model=facts | {"teacher": facts | {"members": 3}})
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    teacher = {"model": "stanet_s", "pretrained": True, "members": 3, "epochs": 7, "weight": 0.8, "views": 12}
    changed = recipe | {"pretrained": True, "teacher": teacher | {"temperature": 2.0}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(changed))
    said = " ".join(
        answer.text for entry in claim_checklist(read_document_source(folder)).entries for answer in entry.answers
    )
    assert "Features of a network; the classification layer is random" in said
    assert "Its teacher starts from the same weights." in said
    assert "Distilled from 3 trainings of stanet_s that answer together, fitted on" in said
    assert "ImageNet" not in said


def test_characteristics_are_of_those_tested(source, tiny_cohort):
    """A task that leaves a class out had its patients described as test patients."""
    cohort = tiny_cohort.table
    out = cohort["label"].unique()[0]
    part = source.predictions[~source.predictions["image_id"].isin(cohort.loc[cohort["label"] == out, "image_id"])]
    found = characteristics(replace(source, predictions=part, cohort=cohort))
    left = cohort.loc[cohort["label"] == out, "patient_id"].nunique()
    assert out not in [row[0] for row in found.table.rows]
    assert f"{left} other patients of the cohort were not tested" in found.text
    tested = set(part.loc[part["role"] == "test", "image_id"])
    known = cohort[cohort["image_id"].isin(tested)].groupby("label")["patient_id"].nunique()
    assert {row[0]: int(row[1]) for row in found.table.rows} == known.to_dict()


def test_a_person_of_two_classes_is_described_in_both(source, tiny_cohort):
    cohort = tiny_cohort.table.copy()
    cohort["patient_id"] = cohort["patient_id"].where(cohort["label"] != "IBM", cohort["patient_id"].iloc[0])
    found = characteristics(replace(source, cohort=cohort))
    assert {row[0]: row[1] for row in found.table.rows}["IBM"] == "1"
