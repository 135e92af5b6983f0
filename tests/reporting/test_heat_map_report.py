"""The page of heat maps: what it may call better, and what it must say first."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from myosono.cli.explain import show_study
from myosono.evaluation import Estimate
from myosono.faithfulness import HeatMapStudy
from myosono.faithfulness.result import CURVES, METRICS, CurveRow, HeatMapMethod, MethodRow
from myosono.reporting.heat_map_report import findings, heat_map_banners, near_chance, render_heat_maps, verdict

NAMES = ("class_map", "grad_cam_earlier", "centre", "shrinkage", "random")


def study(patients: int, change: Estimate, accuracy: float = 0.5) -> HeatMapStudy:
    """Every map differs from random ones by as much."""
    rows = tuple(
        MethodRow(name, metric, Estimate(0.4, 0.3, 0.5), Estimate(0.0) if name == "random" else change, change)
        for name in NAMES
        for metric in METRICS
    )
    points = (Estimate(0.9, 0.8, 1.0), Estimate(0.2, 0.1, 0.3))
    return HeatMapStudy(
        model="stanet_s", run="run", fold=0, cohort="mine", content_hash="c0ffee", simulated=False, leaks=False,
        split="patient", images=2 * patients, patients=patients, limit=3, accuracy=accuracy, size=64, grid=(2, 2),
        resamples=100, seed=0, methods=tuple(HeatMapMethod(name, name, "A map.") for name in NAMES), rows=rows,
        curves=tuple(CurveRow(name, metric, (0.0, 1.0), points) for name in NAMES for metric in CURVES),
        similarities=(), created="2026-01-01", versions={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Estimate(0.0003, 0.0001, 0.0009), "undecided"),  # shown as +0.000
        (Estimate(0.0004, 0.0001, 0.0021), "undecided"),
        (Estimate(0.0006, 0.0001, 0.0004), "undecided"),  # both ends
        (Estimate(0.0014, 0.0006, 0.0021), "better"),
        (Estimate(-0.0014, -0.0021, -0.0006), "worse"),
    ],
)
def test_what_is_shown_as_0_is_neither_better_nor_worse(change: Estimate, said: str):
    assert verdict("road", change) == said
    page = render_heat_maps(study(30, change), b"")
    assert f'class="ci {said}"' in page
    assert any("not told apart" in one for one in findings(study(30, change))) == (said == "undecided")


def test_few_patients_are_said_first():
    few, many = study(8, Estimate(0.1, 0.05, 0.2)), study(20, Estimate(0.1, 0.05, 0.2))
    assert [banner.title for banner in heat_map_banners(few)] == ["Few patients"]
    assert heat_map_banners(many) == []
    assert "Only 8 test patients: intervals from fewer than 20 patients are too narrow" in render_heat_maps(few, b"")
    screen = Console(file=io.StringIO(), width=200)
    show_study(few, screen)
    assert "Only 8 test patients" in screen.file.getvalue()
    assert "+0.100" in screen.file.getvalue()  # as many decimals as decide


def test_a_network_that_guesses_is_said_to():
    unknown = study(24, Estimate(0.1, 0.05, 0.2), accuracy=0.4)
    guessing = replace(unknown, chance=0.3)
    assert [banner.title for banner in heat_map_banners(guessing)] == ["Near chance"]
    assert "learned nothing explains nothing" in render_heat_maps(guessing, b"")
    assert heat_map_banners(replace(guessing, accuracy=0.9)) == []
    assert heat_map_banners(unknown) == []  # chance is not known
    screen = Console(file=io.StringIO(), width=200)
    show_study(guessing, screen)
    assert "Near chance" in screen.file.getvalue()
    assert not near_chance(1.0, 0.5, 8)
