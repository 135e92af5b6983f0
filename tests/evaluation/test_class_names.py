"""Figures with many classes, long names and names of other scripts: legible, complete and quiet."""

from __future__ import annotations

import re
import warnings
from itertools import combinations, product

import pytest

from myosono.evaluation import evaluate, figures
from myosono.evaluation.figures.style import colours, dashes, text_width, wrapped

LONG = (
    "Normal", "Inclusion body myositis", "Polymyositis", "Dermatomyositis", "Overlap myositis",
    "Immune-mediated necrotizing myopathy", "Anti-synthetase syndrome", "Juvenile dermatomyositis",
    "Metabolic myopathy", "Muscular dystrophy", "Neurogenic atrophy", "Other",
)  # fmt: skip
NAMES = {
    "four": ("Normal", "IBM", "PM", "DM"),
    "six long": LONG[:6],
    "twelve long": LONG,
    "twelve short": tuple(f"class {number}" for number in range(12)),
    "Chinese": ("正常", "包涵体肌炎", "多发性肌炎", "皮肌炎"),
    "a script that no font has": ("𒀀𒀁", "𒀂", "𒀃"),
}
Box = tuple[float, float, float, float]


def boxes(svg: str) -> dict[tuple[str, Box], None]:
    """Every level text of a figure with left, right, top and bottom, in points."""
    found = {}
    for attributes, text in re.findall(r"<text ([^>]*)>([^<]*)", svg):
        size = float(re.search(r"font-size: ([\d.]+)px", attributes)[1])
        place = re.search(r'x="([\d.-]+)" y="([\d.-]+)"', attributes) or re.search(
            r"translate\(([\d.-]+) ([\d.-]+)\)", attributes
        )
        if "rotate" in attributes:
            continue
        width = text_width(text, size, "bold" if "font-weight: 700" in attributes else "normal")
        anchor = re.search(r"text-anchor: (\w+)", attributes)
        left = float(place[1]) - {"middle": width / 2, "end": width}.get(anchor[1] if anchor else "", 0)
        found[text, (left, left + width, float(place[2]) - 0.7 * size, float(place[2]))] = None
    return found


def check_legible(svg: str) -> None:
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    written = boxes(svg)
    for text, (left, right, top, bottom) in written:
        assert left >= -1, text
        assert right <= width + 1, text
        assert top >= -1, text
        assert bottom <= height + 1, text
    for (one, a), (other, b) in combinations(written, 2):
        apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
        assert apart, f"{one} over {other}"


@pytest.mark.parametrize("kind", NAMES)
def test_no_text_lies_over_another_or_is_cut(make, kind: str):
    classes = NAMES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a glyph that is missing, a layout that did not fit
        found = evaluate(make(5 * len(classes), classes=classes, muscles=("D",), shots=1), resamples=0)
        drawn = figures.draw_patients(found.patients, found.classes)
        roc = figures.draw_roc(found.levels["image"], "Images")
        figures.draw_confusion(found.levels["image"], "Images")
    for svg in (drawn, roc):
        check_legible(svg)
        words = set(" ".join(text for text, _ in boxes(svg)).split())
        assert set(re.split(r"\s+", " ".join(classes))) <= words or kind == "twelve long"  # one breaks at its hyphen


def test_few_short_names_look_as_ever(make):
    found = evaluate(make(20), resamples=0)
    assert 'viewBox="0 0 691.2 198"' in figures.draw_patients(found.patients, found.classes)
    assert 'viewBox="0 0 266.4 252"' in figures.draw_roc(found.levels["image"], "Images")


def test_groups_of_very_different_size_keep_their_titles_apart(make):
    classes = ("Normal", *LONG[5:8])
    rows = make(60, classes=classes, muscles=("D",), shots=1)
    few = rows["target"].eq("Normal") | rows["patient_id"].lt("P008")
    found = evaluate(rows[few], resamples=0)
    check_legible(figures.draw_patients(found.patients, found.classes))


def test_no_two_classes_look_alike():
    names = [f"class {number}" for number in range(24)]
    looks = {(colour, str(dashes(place))) for place, colour in enumerate(colours(names).values())}
    assert len(set(colours(names).values())) == len(looks) == 24
    for place, again in product(range(8), (8, 16)):
        assert dashes(place) != dashes(place + again)  # of one colour, darker


@pytest.mark.parametrize("text", [*LONG, "a" * 60, "", "two  spaces", "-", "正常"])
def test_wrapping_loses_nothing(text: str):
    for width in (1, 60, 1000):
        lines = wrapped(text, 10.5, width)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert len(lines) >= 1
    assert wrapped(" ".join(text.split()), 10.5, 10_000) == [" ".join(text.split())]
