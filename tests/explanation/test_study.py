"""From a run to the page: held-out images, pairing, determinism, the verb."""

from __future__ import annotations

import csv
import io
import json
import warnings
from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.errors import RunError, UsageError
from myosono.evaluation import Estimate
from myosono.evaluation.figures.style import font_families
from myosono.explanation import METHODS, explain_run
from myosono.explanation.study import CHECK_IMAGES, check_images
from myosono.faithfulness.figures import draw_randomisation
from myosono.faithfulness.result import METRICS
from myosono.reporting.heat_map_panel import draw_panel
from myosono.reporting.heat_map_report import findings, heat_map_banners, verdict, write_heat_maps


@pytest.fixture(scope="module")
def found(tiny_run, tiny_cohort):
    return explain_run(tiny_run[0], tiny_cohort, limit=1, resamples=30, randomisations=1)


def test_few_images_are_checked_of_every_class():
    patients = [f"{name}{n:02}" for name in ("benign", "malignant", "normal") for n in range(CHECK_IMAGES)]
    table = pd.DataFrame({"patient_id": [one for one in patients for _ in range(2)]})
    table["target"] = table["patient_id"].str[:-2]
    chosen = table.loc[check_images(table)]
    assert len(chosen) == chosen["patient_id"].nunique() == CHECK_IMAGES
    assert chosen["target"].value_counts().to_dict() == dict.fromkeys(("benign", "malignant", "normal"), 8)
    few = table[:10]
    assert check_images(few).tolist() == [0, 2, 4, 6, 8]


def test_only_test_images_are_used(found, tiny_run):
    study, examples = found
    split = pd.read_parquet(tiny_run[0].path / "splits.parquet")
    tested = set(split[(split["fold"] == 0) & (split["role"] == "test")]["image_id"])
    assert study.images == study.patients
    assert 0 < study.images < len(tested)
    assert {example.image_id for example in examples} <= tested


def test_every_figure_is_there_once(found):
    study, _ = found
    names = {method.name for method in METHODS}
    assert {(row.method, row.metric) for row in study.rows} == {(name, metric) for name in names for metric in METRICS}
    for metric in METRICS:
        assert study.row("random", metric).against_random == Estimate(0)  # against itself
        assert study.row("class_map", metric).against_class_map == Estimate(0)
    for row in study.rows:
        limits = (-0.5, 0.5) if row.metric == "road" else (0, 1)
        assert limits[0] <= row.estimate.value <= limits[1]


def test_deleting_everything_leaves_the_same_for_every_map(found):
    study, _ = found
    ends = {round(row.points[-1].value, 9) for row in study.curves if row.metric == "deletion"}
    starts = {round(row.points[0].value, 9) for row in study.curves if row.metric == "insertion_grey"}
    assert len(ends) == 1
    assert ends == starts


def test_same_seed_same_study(found, tiny_run, tiny_cohort):
    study, _ = found
    again, _ = explain_run(tiny_run[0], tiny_cohort, limit=1, resamples=30, randomisations=0)
    assert again.rows == study.rows
    assert again.similarities == ()


def test_another_cohort_an_unfinished_fold_and_an_empty_limit_are_refused(tiny_run, tiny_cohort, tmp_path):
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig.small(8, images_per_patient=1, scale=0.25, seed=9)
    other = simulate_cohort(config, tmp_path / "other", progress=False)
    with pytest.raises(UsageError, match="not the one"):
        explain_run(tiny_run[0], other)
    with pytest.raises(RunError, match="fold 7"):
        explain_run(tiny_run[0], tiny_cohort, fold=7)
    with pytest.raises(UsageError, match="at least one"):
        explain_run(tiny_run[0], tiny_cohort, limit=0)


def test_the_page_states_what_was_found_and_labels_shrinkage(found, tmp_path):
    study, examples = found
    page = write_heat_maps(tmp_path, study, examples).read_text(encoding="utf-8")
    for wanted in ("Simulated images", "not a noise level", "nor a noise level", "Random, same grid", "share it as"):
        assert wanted in page
    assert all(sentence.split("'")[0] in page for sentence in findings(study))
    kept = json.loads((tmp_path / "heat_maps.json").read_text(encoding="utf-8"))
    assert kept["rows"] == study.to_rows()
    with (tmp_path / "heat_maps_curves.csv").open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == len(METHODS) * 3 * 21
    assert (tmp_path / "examples.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(len(font_families()) == 1, reason="no font with Chinese characters is installed")
def test_chinese_class_names_stand_on_the_examples(found):
    study, examples = found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_panel(study, [replace(examples[0], truth="皮肌炎", explained="正常")]).savefig(io.BytesIO())


def test_no_line_of_the_similarities_leaves_its_panel(found):
    study, _ = found
    low = [replace(row, estimate=Estimate(-0.8, -0.9, -0.7)) for row in study.select(measure="rank")]
    high = list(study.select(measure="ssim"))
    drawn = draw_randomisation(replace(study, similarities=(*low, *high)))
    assert "−0.5" in drawn  # a label of the axis, which used to end at −0.35


def test_a_leaking_split_is_said_first(found):
    study, _ = found
    assert [banner.tone for banner in heat_map_banners(replace(study, leaks=True))][:2] == ["red", "amber"]


@pytest.mark.parametrize(
    ("metric", "change", "said"),
    [
        ("deletion", Estimate(-0.1, -0.2, -0.01), "better"),
        ("deletion", Estimate(0.1, 0.01, 0.2), "worse"),
        ("road", Estimate(0.1, 0.01, 0.2), "better"),
        ("insertion", Estimate(-0.1, -0.2, -0.01), "worse"),
        ("road", Estimate(0.1, -0.01, 0.2), "undecided"),
        ("road", Estimate(0.1), "undecided"),
        ("road", Estimate(None), "undecided"),
    ],
)
def test_an_interval_that_holds_nothing_decides_nothing(metric, change, said):
    assert verdict(metric, change) == said


def test_the_verb_prints_json_and_writes_the_page(tiny_run, tiny_cohort, tmp_path):
    out = tmp_path / "maps"
    arguments = ["explain", str(tiny_run[0].path), "--cohort", str(tiny_cohort.folder), "--out", str(out)]
    options = ["--limit", "1", "--resamples", "10", "--randomisations", "0"]
    found = CliRunner().invoke(app, [*arguments, *options, "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["simulated"] is True
    assert (out / "heat_maps.html").is_file()
    assert not (out / "heat_maps_randomisation.csv").exists()
    told = CliRunner().invoke(app, [*arguments, *options])
    assert "The class map is" in told.output
    reference = next(line for line in told.output.splitlines() if "Random, same grid" in line)
    below = told.output.splitlines()[told.output.splitlines().index(reference) + 1]
    assert "Random, single" in below  # no difference from itself
