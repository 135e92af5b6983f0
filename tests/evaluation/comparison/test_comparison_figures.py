"""Forest plot and trade-off: what is drawn, what is said, and that names do not cover each other."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.evaluation import Estimate
from myosono.evaluation.comparison import Condition, Contender, PairedDifference
from myosono.evaluation.figures.forest import draw_forest
from myosono.evaluation.figures.style import ACCENT, SECOND
from myosono.evaluation.figures.tradeoff import Point, cost_ticks, draw_tradeoff, front

SET = Condition("cohort", "label", "patient")


def difference(name: str, value: float | None, p: float | None) -> PairedDifference:
    estimate = Estimate(None) if value is None else Estimate(value, value - 0.02, value + 0.02)
    return PairedDifference(Contender(name), (SET,), "image", "auc", estimate, p, p, (0,), 30, 60, 2)


def texts(svg: str) -> list[str]:
    return [
        "".join(part.itertext()).strip() for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("text")
    ]


def test_forest_orders_models_and_colours_what_is_certain():
    shown = [difference("worse", -0.05, 0.01), difference("<same>", 0.0, 1.0), difference("undefined", None, None)]
    svg = draw_forest(shown, flagship="stanet_s", what="macro-AUC")
    assert ACCENT in svg
    assert SECOND not in svg
    assert SECOND in draw_forest([difference("better", 0.1, 0.01)], flagship="stanet_s", what="macro-AUC")
    assert ACCENT not in draw_forest([difference("perhaps", -0.1, 0.2)], flagship="stanet_s", what="macro-AUC")
    written = texts(svg)
    assert "undefined" not in written
    assert any("(left of 0: stanet_s is better)" in text for text in written)
    assert {"worse", "<same>", "0.010", "−0.050 (−0.070 to −0.030)"} <= set(written)
    assert written.index("worse") < written.index("<same>")


def test_forest_without_intervals_or_models_is_still_a_figure():
    alone = PairedDifference(Contender("a"), (SET,), "image", "auc", Estimate(0.1), None, None, (0,), 3, 3, 1)
    assert "+0.100" in texts(draw_forest([alone], flagship="stanet_s", what="accuracy"))
    assert "none" in draw_forest([], flagship="stanet_s", what="accuracy")


def test_front_holds_whom_nobody_beats():
    points = [Point("dear", 9, 0.8), Point("cheap", 1, 0.7), Point("beaten", 5, 0.6), Point("tie", 2, 0.7)]
    assert [point.label for point in front(points)] == ["cheap", "dear"]


@pytest.mark.parametrize("seed", [0, 1])
def test_tradeoff_names_every_model_once_and_repeats_itself(seed: int):
    rng = np.random.default_rng(seed)
    costs, scores = np.exp(rng.uniform(3, 7, 14)).tolist(), rng.uniform(0.8, 0.9, 14).tolist()
    points = [Point(f"some_network_{n:03d}", costs[n], scores[n], n == 1, n == 0) for n in range(14)]
    svg = draw_tradeoff(points, cost="MMAC", score="macro-AUC")
    written = [text for text in texts(svg) if text.startswith("some_network")]
    assert sorted(written) == [point.label for point in points]
    assert draw_tradeoff(points, cost="MMAC", score="macro-AUC") == svg
    places = np.array([tuple(map(float, found)) for found in re.findall(r"translate\(([\d.]+) ([\d.]+)\)", svg)])
    assert len(np.unique(places, axis=0)) == len(places)


@given(st.floats(1e-3, 1e6), st.floats(1.002, 1e8))
def test_the_axis_of_cost_has_numbers_wherever_the_costs_lie(lo: float, times: float):
    """Between 31 and 69 millions there is no power of ten, and the axis had no number at all."""
    found = cost_ticks(lo, lo * times)
    assert 2 <= len(found) <= 12
    assert found == sorted(set(found))
    assert all(lo <= value <= lo * times for value in found)


def test_the_numbers_are_written_below_the_axis():
    points = [Point("a", 31e0, 0.9), Point("b", 61.0, 0.8)]
    assert {"40", "60"} <= set(texts(draw_tradeoff(points, cost="MMAC", score="macro-AUC")))
    assert len(texts(draw_tradeoff(points[:1], cost="MMAC", score="macro-AUC"))) > 4


def test_a_name_that_does_not_fit_is_drawn_all_the_same():
    names = [f"a_network_{n} (pretrained) · with_a_rather_long_recipe_name" for n in range(30)]
    points = [Point(name, 50 + n / 100, 0.9 + n / 1e4) for n, name in enumerate(names)]
    written = "".join(texts(draw_tradeoff(points, cost="MMAC", score="macro-AUC"))).replace(" ", "")
    assert all(name.replace(" ", "") in written for name in names)
