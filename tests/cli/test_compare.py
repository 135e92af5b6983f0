"""`myosono compare` and `myosono evaluate --against` as a user meets them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from myosono.cli.against import _folder_name
from myosono.cli.compare import _profiles, compare_command, print_comparison
from myosono.cli.evaluate import evaluate_command
from myosono.errors import PredictionsError, UsageError
from myosono.evaluation import Predictions, read_predictions
from myosono.evaluation.comparison import AS_GIVEN, UNKNOWN_SPLIT, Condition, Contender, compare, make_entry
from myosono.formats import RUN_FORMAT
from myosono.training import Recipe
from myosono.training.sweep import Entrant

CLASSES = ("Normal", "PM", "DM")
WHERE = Condition("predictions", AS_GIVEN, UNKNOWN_SPLIT)


def table(skill: float, seed: int) -> pd.DataFrame:
    """Predictions of 30 patients with two images each; a higher skill is right more often."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(30), 2)
    targets = patients % 3
    logits = rng.normal(size=(60, 3))
    logits[np.arange(60), targets] += skill
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    columns = {f"p_{name}": shares[:, k] for k, name in enumerate(CLASSES)}
    names = [f"P{patient:02d}" for patient in patients]
    return pd.DataFrame(
        {"image_id": [f"i{n}" for n in range(60)], "patient_id": names, "target": [CLASSES[k] for k in targets]}
        | columns
    )


@pytest.fixture
def tables(tmp_path):
    table(3.0, 0).to_csv(tmp_path / "ours.csv", index=False)
    # in another order: rows are paired by name, not by place
    table(0.5, 1)[::-1].to_csv(tmp_path / "theirs.csv", index=False)
    return tmp_path


def test_a_recipe_cannot_decide_what_the_options_decide(tiny_cohort, tmp_path):
    for setting, option in (("pretrained=true", "NAME:pretrained"), ("seed=7", "--seeds"), ("split=image", "--splits")):
        with pytest.raises(UsageError, match=f"not taken from a recipe here.*{option}"):
            compare_command(tiny_cohort.folder, "stanet_xs", tmp_path, settings=[setting])
    (tmp_path / "mine.yaml").write_text("pretrained: true\n")
    with pytest.raises(UsageError, match=r"mine\.yaml: pretrained"):
        compare_command(tiny_cohort.folder, "stanet_xs", tmp_path, recipe=[tmp_path / "mine.yaml"])


def test_both_starts_of_a_network_are_compared(tiny_cohort, tmp_path, capsys):
    compare_command(
        tiny_cohort.folder, "stanet_s,stanet_s:pretrained", tmp_path / "out", folds="0", size=64, epochs=1,
        settings=["folds=2", "batch_size=16"], profile=False, json=True,
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert [score["contender"]["pretrained"] for score in found["scores"]] == [False, True]
    assert found["flagship"]["pretrained"] is False
    assert (tmp_path / "out" / "report.html").exists()


def test_tables_of_two_tools_are_paired(tables, capsys):
    evaluate_command(tables / "ours.csv", against=[tables / "theirs.csv"], resamples=200, seed=0)
    shown = capsys.readouterr()
    assert "theirs" in shown.out
    folder = tables / "ours_against_theirs"
    assert {path.name for path in folder.iterdir()} == {"report.html", "summary.csv", "comparison.json"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Unknown split" in page
    assert "Against cost" not in page
    rows = pd.read_csv(folder / "summary.csv").set_index("model")
    assert rows.loc["theirs", "image_auc_difference_hi"] < 0
    assert rows.loc["theirs", "image_auc_difference_p_holm"] < 0.05
    evaluate_command(tables / "ours.csv", against=[tables / "theirs.csv"], resamples=200, seed=0, as_json=True)
    assert json.loads(capsys.readouterr().out)["resamples"] == 200


def test_runs_say_how_they_were_split(tables, tmp_path, capsys):
    def a_run(name: str, split: dict[str, object]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        read_predictions(tables / "theirs.csv").table.to_parquet(folder / "predictions.parquet")
        facts = {"format": RUN_FORMAT, "classes": list(CLASSES), "split": split}
        (folder / "run.json").write_text(json.dumps(facts))
        return folder

    patient, image = {"kind": "patient", "leaks": False}, {"kind": "image", "leaks": True}
    first, second, leaking = a_run("first", patient), a_run("second", patient), a_run("leaking", image)
    page = tmp_path / "out" / "report.html"
    for others, told, untold in (
        ([second], [], ["Unknown split", "A split that leaks"]),
        ([leaking], ["A split that leaks", "Unknown split"], []),
        ([tables / "ours.csv"], ["Unknown split"], ["A split that leaks"]),
    ):
        evaluate_command(first, against=others, out=page.parent, resamples=50)
        text = page.read_text(encoding="utf-8")
        assert all(words in text for words in told)
        assert not any(words in text for words in untold)
    assert "leaks patients" in capsys.readouterr().out


def test_a_table_that_tests_a_patient_in_two_folds_is_marked(tables):
    for name in ("ours", "theirs"):
        read = pd.read_csv(tables / f"{name}.csv")
        read.assign(fold=read["image_id"].str[1:].astype(int) % 2).to_csv(tables / f"{name}.csv", index=False)
    evaluate_command(tables / "ours.csv", against=[tables / "theirs.csv"], out=tables, resamples=50)
    assert "A split that leaks" in (tables / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_screen(tables, width):
    read = [read_predictions(tables / f"{name}.csv") for name in ("ours", "theirs")]
    where = [Condition("mine", "label", "patient"), Condition("mine", AS_GIVEN, UNKNOWN_SPLIT)]
    entries = [
        make_entry(Contender(name), condition, 0, predictions, of_folds=1)
        for condition in where
        for name, predictions in zip(("stanet_s", "tf_efficientnet_lite0"), read, strict=True)
    ]
    screen = Console(width=width, record=True, file=io.StringIO())
    print_comparison(compare(entries, flagship="stanet_s", resamples=50), screen)
    lines = screen.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    assert [line[-1] for line in lines if line.startswith("┏")] == ["┓"] * 2  # no column is cut
    assert "\n".join(lines).count("seed") == 2  # of the two networks; what seeds a foreign tool had is not known


def test_tables_that_do_not_pair_are_refused(tables):
    ours, theirs = tables / "ours.csv", tables / "theirs.csv"
    table(1.0, 2).assign(patient_id="P00", target="PM").to_csv(theirs, index=False)
    with pytest.raises(PredictionsError, match="in the first table"):
        evaluate_command(ours, against=[theirs], resamples=0)
    table(1.0, 2).assign(image_id=[f"j{n}" for n in range(60)]).to_csv(theirs, index=False)
    with pytest.raises(PredictionsError, match="shares no image_id"):
        evaluate_command(ours, against=[theirs], resamples=0)
    with pytest.raises(UsageError, match="called alike"):
        evaluate_command(ours, against=[ours], resamples=0)
    with pytest.raises(UsageError, match="does not exist"):
        evaluate_command(ours, against=[tables / "nobody.csv"], resamples=0)


def test_images_pair_whatever_the_folds_are_called(tables, capsys):
    """A table without folds had been paired with one of two folds on the images of one of them."""
    ours = table(3.0, 0)
    ours["fold"] = [place // 30 + 1 for place in range(60)]
    ours.to_csv(tables / "folds.csv", index=False)
    evaluate_command(
        tables / "folds.csv", against=[tables / "theirs.csv"], out=tables / "out", as_json=True, resamples=50
    )
    found = json.loads(capsys.readouterr().out)
    assert {(one["patients"], one["images"]) for one in found["paired"]} == {(30, 60)}
    assert [(score["folds"], score["of_folds"]) for score in found["scores"]] == [(2, 2), (1, 1)]


def test_a_difference_on_a_part_of_the_patients_says_so(tables):
    entries = [
        make_entry(Contender(name), WHERE, 0, read_predictions(tables / f"{name}.csv"), of_folds=1)
        for name in ("ours", "theirs")
    ]
    part = entries[1].images.table["patient_id"] < "P10"
    fewer = Predictions(entries[1].images.table[part].reset_index(drop=True), entries[1].images.classes)
    for given, flagship in (
        ([entries[0], replace(entries[1], images=fewer)], "ours"),
        ([replace(entries[1], images=fewer), entries[0]], "theirs"),
    ):
        screen = Console(file=io.StringIO(), width=200)
        print_comparison(compare(given, flagship=flagship, resamples=20), screen)
        shown = screen.file.getvalue()
        assert "on 10 of 30 patients" in shown
        assert "theirs on 10 patients and 20 images" in " ".join(shown.split())
        assert "Compared are 10 in predictions" in shown  # few, as the page says


def test_the_terminal_is_quiet_about_patients_where_all_are_the_same_and_many(tables):
    entries = [
        make_entry(Contender(name), WHERE, 0, read_predictions(tables / f"{name}.csv"), of_folds=1)
        for name in ("ours", "theirs")
    ]
    screen = Console(file=io.StringIO(), width=200)
    print_comparison(compare(entries, flagship="ours", resamples=20), screen)
    shown = screen.file.getvalue()
    assert "Few patients" not in shown
    assert "Not the same" not in shown
    assert not re.search(r"\(0\.\d\d to", shown)  # as many decimals as the scores


def test_many_tools_have_a_folder_whose_name_fits(tables):
    others = [tables / f"a_tool_with_a_rather_long_name_{number}.csv" for number in range(12)]
    for path in others:
        table(0.5, 1).to_csv(path, index=False)
    evaluate_command(tables / "ours.csv", against=others, resamples=0)
    folder = next(path for path in tables.iterdir() if path.is_dir())
    assert folder.name.startswith("ours_against_12_others_")
    assert (folder / "report.html").is_file()
    assert _folder_name(["a", "b"]) == "a_against_b"
    names = [["肌炎" * 60, "b"], ["肌炎" * 60, "c"]]
    assert len({_folder_name(one) for one in names}) == 2
    assert all(len(_folder_name(one).encode()) < 120 for one in names)


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tables, monkeypatch):
    monkeypatch.setattr("myosono.evaluation.comparison.compare", lambda *_, **__: pytest.fail("the work was begun"))
    (tables / "file").write_text("")
    for out in (tables / "file", tables / "file" / "inside"):
        with pytest.raises(UsageError, match=r"cannot be made.*--out"):
            evaluate_command(tables / "ours.csv", against=[tables / "theirs.csv"], out=out, resamples=0)


def test_rounded_tables_are_compared_and_said_to_be(tables, capsys):
    table(0.5, 1).round(2).to_csv(tables / "theirs.csv", index=False)
    evaluate_command(tables / "ours.csv", against=[tables / "theirs.csv"], resamples=0)
    assert "theirs: The probabilities are rounded to 2 decimals" in " ".join(capsys.readouterr().out.split())
    page = (tables / "ours_against_theirs" / "report.html").read_text(encoding="utf-8")
    assert "theirs: The probabilities are rounded" in page


def test_seeds_that_differ_in_whether_they_leak_are_one_condition(tables):
    """With most patients of one image an image split may leak under one seed alone, and the table had crashed."""
    predictions = read_predictions(tables / "ours.csv")
    entries = [
        make_entry(Contender("ours"), Condition("c", "t", "image", leaks), seed, predictions, of_folds=1)
        for seed, leaks in ((0, False), (1, True))
    ]
    found = compare(entries, flagship="ours", resamples=20)
    assert [
        (condition.leaks, score.seeds) for condition, score in zip(found.conditions, found.scores, strict=True)
    ] == [(True, (0, 1))]
    print_comparison(found, Console(file=io.StringIO()))


def test_mistakes_are_told_before_anything_is_fitted(tiny_cohort, tmp_path):
    for options, message in (
        ({"splits": "foo"}, "split 'foo'"),
        ({"seeds": "-1"}, "seed -1"),
        ({"folds": ","}, "--folds ',' names none"),
    ):
        with pytest.raises(UsageError, match=message):
            compare_command(tiny_cohort.folder, "stanet_xs", tmp_path, **options)


def test_a_cost_that_cannot_be_measured_does_not_cost_the_comparison():
    entrants = [Entrant("vit_tiny_patch16_224", False)]
    small = Recipe(size=64)
    found, reason = _profiles(entrants, {"default": small})
    assert found == {}
    assert reason.startswith("not measured: vit_tiny_patch16_224 cannot be run or exported at 64 x 64 pixels")
    assert _profiles(entrants, {"a": small, "b": Recipe(size=96)})[1].startswith("not measured: the recipes differ")
