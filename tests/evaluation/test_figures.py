from __future__ import annotations

from xml.etree import ElementTree

import pandas as pd
import pytest

from myosono.evaluation import evaluate, figures

LOG = pd.DataFrame({"epoch": [0, 1], "train_loss": [1.0, 0.5], "val_loss": [1.0, None], "val_note": ["a", "b"]})


def check(svg: str | None) -> str:
    assert svg is not None
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label")
    assert root.get("width") is None  # the page decides
    assert "http" not in svg.replace("http://www.w3.org/", "")
    for stand_in in ("#010203", "#040506", "#070809", "#0a0b0c", "DejaVu"):
        assert stand_in not in svg
    return svg


@pytest.mark.parametrize("classes", [("No <b>", "$Yes$ & more"), ("A", "B", "C", "D", "E")])
def test_every_figure_is_small_and_names_the_classes(make, classes: tuple[str, ...]):
    found = evaluate(make(20, classes=classes), resamples=20)
    patient = check(figures.draw_patients(found.patients, found.classes))
    check(figures.draw_roc(found.levels["patient"], "Patients"))
    check(figures.draw_reliability(found.calibration.image, "Images", after=True))
    check(figures.draw_muscles(found.by_muscle, 0.5))
    assert len(check(figures.draw_confusion(found.levels["image"], "Images"))) < 40_000
    text = "".join(ElementTree.fromstring(patient).itertext())
    assert all(name in text for name in classes)


def test_figures_are_deterministic(study: pd.DataFrame):
    level = evaluate(study, resamples=0).levels["patient"]
    assert figures.draw_confusion(level, "Patients") == figures.draw_confusion(level, "Patients")


def test_a_class_without_units_has_no_percentages(study: pd.DataFrame):
    absent = study["target"].iloc[0]
    level = evaluate(study[study["target"] != absent], resamples=0).levels["patient"]
    svg = check(figures.draw_confusion(level, "Patients"))
    row = list(level.per_class).index(absent)
    assert sum(level.confusion[row]) == 0
    assert [text for text, _ in texts(svg)].count("–") == len(level.per_class)
    assert f"{absent} –" in str(ElementTree.fromstring(svg).get("aria-label"))


def test_training_curves():
    assert "2 epochs" in check(figures.draw_training({"0": LOG, "1": LOG.iloc[:1]}))
    assert figures.draw_training({}) is None
    assert figures.draw_training({"0": LOG.iloc[:0]}) is None
    assert figures.draw_training({"0": pd.DataFrame({"step": [1]})}) is None


def texts(svg: str) -> list[tuple[str, float]]:
    """Every text of a figure, and where it is anchored across."""
    parts = [part for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("text")]
    return [("".join(part.itertext()).strip(), float(part.get("x") or "nan")) for part in parts]


def test_epochs_are_counted_from_1_as_while_training():
    ticks = {text for text, _ in texts(check(figures.draw_training({"0": LOG[["epoch", "train_loss"]]})))}
    assert {"1", "2"} <= ticks
    assert "0" not in ticks


def test_the_count_of_a_lone_patient_stands_below_its_column(make):
    found = evaluate(make(3, classes=("A", "B", "C")), resamples=0)
    written = texts(check(figures.draw_patients(found.patients, found.classes)))
    left = {text: place for text, place in reversed(written) if text in found.classes}  # titles, before the legend
    counts = [place for text, place in written if text.endswith(" of 1 right")]
    panel = left["B"] - left["A"]
    assert len(counts) == 3
    for place, name in zip(counts, found.classes, strict=True):
        assert place - left[name] < panel / 4  # the column is a quarter of its panel
