"""The table of the reproduction: what it claims, in which colour, and that all three files hold the same."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from myosono.errors import RunError
from myosono.evaluation import Estimate
from myosono.evaluation.reproduction import PUBLISHED, Outcome, Reproduction, published_results
from myosono.evaluation.result import Spread
from myosono.reporting import write_reproduction
from myosono.reporting.reproduction_report import leak_statement, render_reproduction, reproduction_banners


def outcome(split: str, task: str = "four_class", model: str = "stanet_s", mean: float = 0.9) -> Outcome:
    leaks = split != "patient"
    estimate = Estimate(mean, mean - 0.1, mean + 0.05)
    return Outcome(
        task=task, model=model, split=split, leaks=leaks, patient_in_train=1.0 if leaks else 0.0, folds=5, of_folds=5,
        images=3214, patients=80, image_accuracy=estimate, image_spread=Spread(mean, 0.0123),
        image_balanced_accuracy=estimate, image_auc=estimate, patient_accuracy=Estimate(mean),
        patient_spread=Spread(mean, None), patient_auc=Estimate(None), run=f"runs/{task}-{split}-{model}",
    )  # fmt: skip


@pytest.fixture
def found() -> Reproduction:
    return Reproduction(
        cohort="myositis <1>", source="ucar: download", simulated=False, images=3214, patients=80, fold_files=True,
        models=("stanet_s",), tasks=("affected", "four_class"), planned=4,
        outcomes=(outcome("published"), outcome("patient", mean=0.7)), settings={"size": 224, "epochs": 25},
        command="myosono reproduce download", created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def test_rows_pair_the_two_splits_with_the_literature(found):
    waiting, row = found.table
    assert (waiting.image_level, waiting.patient_level, waiting.gap) == (None, None, None)
    assert row.gap == pytest.approx(0.2)
    assert [one.method for one in row.published] == ["Tan 2024"]
    assert row.same_network
    assert not waiting.same_network
    assert [one.accuracy for one in waiting.published] == [0.762, 0.723]


def test_every_published_figure_is_a_share_with_its_citation():
    assert len(PUBLISHED) == len({(one.task, one.method) for one in PUBLISHED})
    for one in PUBLISHED:
        assert 0.5 < one.accuracy < 1
        assert one.sd is None or 0 < one.sd < 0.1
        assert str(2022 if "Uçar" in one.method else 2017 if "Burlina" in one.method else 2024) in one.source
    assert {one.model for one in published_results("four_class", "mobilenetv2_100")} == {"dual_branch", "stanet_s"}


def test_the_page_says_the_leak_in_red_and_what_is_not_done(found):
    page = render_reproduction(found)
    assert "100 % of the test images there belong to patients whose other images were trained on" in page
    assert '<div class="banner red"' in page
    assert '<td class="n leak">90.0 ± 1.2<span class="ci">80.0–95.0</span></td>' in page
    assert '<td class="n">70.0 ± 1.2<span class="ci">60.0–75.0</span></td>' in page
    assert "Tan 2024 96.1" in page
    assert "+20.0" in page
    assert "2 of 4 runs are done" in page
    assert "myositis &lt;1&gt;" in page
    assert "http" not in page.replace("http-equiv", ""), "nothing is fetched"


def test_patient_folds_alone_are_not_called_leaking(found):
    clean = replace(found, outcomes=(outcome("patient"),), planned=1)
    assert leak_statement(clean) is None
    assert reproduction_banners(clean) == []
    assert 'class="n leak"' not in render_reproduction(clean)


def test_simulated_images_are_never_set_against_the_literature_silently(found):
    banners = reproduction_banners(replace(found, simulated=True))
    assert [banner.tone for banner in banners] == ["red", "amber", "amber"]
    assert "cannot be compared" in banners[1].text


def test_page_csv_and_json_hold_the_same(found, tmp_path):
    page = write_reproduction(tmp_path / "out", found)
    told = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader(page.with_suffix(".csv").open(encoding="utf-8")))
    assert told["table"][1]["image_level"]["image_spread"]["mean"] == float(rows[0]["image_accuracy_fold_mean"]) == 0.9
    assert told["table"][1]["gap"] == pytest.approx(0.2)
    assert told["table"][0]["image_level"] is None
    assert (rows[1]["split"], rows[1]["leaks"], rows[1]["patient_auc"]) == ("patient", "False", "")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_reproduction(tmp_path / "file", found)
