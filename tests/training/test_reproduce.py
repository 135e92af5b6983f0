"""The published protocol on sources built to the real layouts: planned whole, resumed, beside the literature."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from myosono.cohort import Cohort, CohortInfo, write_cohort
from myosono.cohort.importing import read_metadata
from myosono.cohort.readers.ucar import WORKBOOK
from myosono.errors import CohortError, ModelError, RunError, SplitError, UsageError
from myosono.training import Recipe
from myosono.training.reproduce import reproduce
from myosono.training.reproduce_plan import MODELS, TASKS, open_source, plan_reproduction

LABELS = {"N": "Normal", "I": "IBM", "P": "PM", "D": "DM"}
TINY = Recipe(size=64, epochs=1, folds=2, batch_size=8, validation_fraction=0.5)


def write_fold_files(folder, codes: list[str]) -> None:
    """S1 and S4, two folds each, dealt out by image as in the publication: shots of one patient in all roles."""
    folder.mkdir()
    classes = {1: lambda code: int(code != "N"), 4: "DPIN".index}
    for scenario, of in classes.items():
        for fold in (1, 2):
            roles = [
                "Test" if n % 2 == fold - 1 else ("Validation" if n % 8 < 2 else "Train") for n in range(len(codes))
            ]
            rows = [
                (f"{n + 1}.PNG", f"2015092213{n:04d}", code, of(code), role)
                for n, (code, role) in enumerate(zip(codes, roles, strict=True))
            ]
            table = pd.DataFrame(rows, columns=["FileNames", "OrginalFileID", "Labels", "Class", "Type"])
            table.to_csv(folder / f"S{scenario}_FileList_Fold_{fold}.csv", index=False)


@pytest.fixture(scope="module")
def codes() -> list[str]:
    """Diagnosis code of each image: 16 patients, 4 images each."""
    return [code for code in "NIPD" * 4 for _ in range(4)]


@pytest.fixture
def crops(tmp_path, make_speckle, codes):
    """Uçar's layout with fold files, as the download folder has it."""
    root = tmp_path / "download"
    root.mkdir()
    rows = []
    for number, code in enumerate(codes):
        Image.fromarray(make_speckle(number, 40, 30)).save(root / f"{number + 1}.PNG")
        patient = f"M{number // 4:03d}" if number % 4 == 0 else None
        rows.append((patient, f"2015092213{number:04d}", "RD", code, f"{number + 1}.PNG"))
    titles = ["Patient Identifier", "2D Image", "Muscle", "Diagnosis", "Cropped Image Name"]
    pd.DataFrame(rows, columns=titles).to_excel(root / WORKBOOK, index=False)
    write_fold_files(root / "FileList", codes)
    return root


def run(source, out, **options):
    protocol = plan_reproduction(open_source(source, out, quiet=True), TINY, models=["stanet_xs"], **options)
    return reproduce(protocol, out, command="test", quiet=True)


def test_a_raw_download_becomes_the_whole_table(crops, tmp_path):
    found = run(crops, tmp_path / "out")
    assert found.complete
    assert (found.fold_files, found.simulated) == (True, False)
    assert found.tasks == ("affected", "four_class"), "those of the fold files"
    assert "No fold files came for ibm_vs_normal, ibm_vs_other." in found.notes
    assert [(one.task, one.split) for one in found.outcomes] == [
        ("affected", "published"), ("four_class", "published"), ("affected", "patient"), ("four_class", "patient"),
    ]  # fmt: skip
    for one in found.outcomes:
        assert one.leaks == (one.split == "published")
        assert one.patient_in_train == (1.0 if one.leaks else 0.0)
        assert (one.folds, one.of_folds, one.images, one.patients) == (2, 2, 64, 16)
        metrics = json.loads((tmp_path / "out" / one.run / "metrics.json").read_text())
        assert one.image_spread.mean == metrics["fold_spread"]["image"]["accuracy"]["mean"]
        assert one.patient_accuracy.lo == metrics["levels"]["patient"]["accuracy"]["lo"]
    row = next(row for row in found.table if row.task == "four_class")
    assert row.gap == pytest.approx(row.image_level.image_spread.mean - row.patient_level.image_spread.mean)


def test_a_killed_protocol_goes_on_and_ends_the_same(crops, tmp_path):
    out = tmp_path / "out"
    first = run(crops, out, tasks=["four_class"])
    done, killed = (out / one.run for one in first.outcomes)
    before = (done / "fold_0" / "best.ckpt").stat().st_mtime_ns
    facts = json.loads((killed / "run.json").read_text())
    (killed / "run.json").write_text(json.dumps(facts | {"status": "begun"}))
    for name in ("fold.json", "predictions.parquet", "last.ckpt", "log.csv"):
        (killed / "fold_1" / name).unlink()
    again = run(crops, out, tasks=["four_class"])
    assert again.outcomes == first.outcomes
    assert (done / "fold_0" / "best.ckpt").stat().st_mtime_ns == before
    (killed / "run.json").unlink()
    for item in killed.iterdir():
        if item.name not in ("recipe.yaml", "splits.parquet"):
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    assert run(crops, out, tasks=["four_class"]).outcomes == first.outcomes, "killed before its run.json was written"


def test_other_settings_or_sources_in_the_same_folder_are_refused(crops, tmp_path):
    out = tmp_path / "out"
    cohort = open_source(crops, out, quiet=True)
    assert open_source(crops, out, quiet=True).info.content_hash == cohort.info.content_hash
    assert open_source(out / "cohort", tmp_path / "b").folder == out / "cohort"
    with pytest.raises(CohortError, match=r"imported from .*download"):
        open_source(tmp_path / "elsewhere", out)
    one = {"models": ["stanet_xs"], "tasks": ["affected"], "only_folds": [0]}
    found = reproduce(plan_reproduction(cohort, TINY, **one), out, quiet=True)
    assert {(outcome.folds, outcome.of_folds) for outcome in found.outcomes} == {(1, 2)}
    assert list(out.rglob("inputs.npy")) == []
    with pytest.raises(RunError, match="another recipe or cohort"):
        reproduce(plan_reproduction(cohort, TINY.model_copy(update={"epochs": 2}), **one), out, quiet=True)


def test_the_release_itself_with_fold_files_beside_it(tmp_path, make_patient_data, make_screen, codes):
    """PatientData.mat (MATLAB v7.3), and Uçar's fold files in a folder of their own."""
    rows = [(f"M{n // 4:03d}", f"2015092213{n:04d}", "RD", code) for n, code in enumerate(codes)]
    chart = pd.DataFrame(rows, columns=["PatientID", "Image2D", "Muscle", "Diagnosis"])
    release = tmp_path / "release"
    release.mkdir()
    make_patient_data(release / "PatientData.mat", chart, [make_screen(seed)[0] for seed in range(2)])
    write_fold_files(tmp_path / "FileList", codes)
    cohort = open_source(release, tmp_path / "out", quiet=True)
    assert len(cohort) == 64
    recipe = TINY.model_copy(update={"fold_files": str(tmp_path / "FileList")})
    protocol = plan_reproduction(cohort, recipe, models=["stanet_xs"], tasks=["affected"], only_folds=[1])
    found = reproduce(protocol, tmp_path / "out", quiet=True)
    assert [(one.split, one.leaks) for one in found.outcomes] == [("published", True), ("patient", False)]


def test_a_simulated_cohort_gets_image_level_folds_and_says_so(tiny_cohort):
    protocol = plan_reproduction(tiny_cohort, TINY, models=MODELS)
    assert protocol.tasks == TASKS
    assert len(protocol.runs) == 4 * 2 * 2
    assert [run.recipe.split for run in protocol.runs] == ["image"] * 8 + ["patient"] * 8
    assert not protocol.fold_files
    assert "same scheme" in protocol.notes[0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"models": ["stanet_q"]}, ModelError, "stanet_q"),
        ({"models": []}, UsageError, "no network"),
        ({"tasks": ["ibm"]}, UsageError, "'ibm'"),
        ({"only_folds": [0, 7]}, UsageError, r"not \[7\]"),
    ],
)
def test_what_cannot_run_is_said_before_anything_runs(tiny_cohort, options, error, message):
    with pytest.raises(error, match=message):
        plan_reproduction(tiny_cohort, TINY, **options)


def test_too_few_patients_for_the_folds_is_said_before_anything_runs(tiny_cohort):
    with pytest.raises(SplitError, match="too few for 9 folds"):
        plan_reproduction(tiny_cohort, TINY.model_copy(update={"folds": 9}))


def test_no_fold_files_where_they_were_promised(tiny_cohort, tmp_path):
    with pytest.raises(UsageError, match="no published fold files"):
        plan_reproduction(tiny_cohort, TINY.model_copy(update={"fold_files": str(tmp_path)}))


@pytest.mark.slow
def test_the_real_fold_files_serve_all_four_tasks(shared_data, tmp_path):
    meta = shared_data / "myositis_meta"
    table, _, _ = read_metadata(meta)
    write_cohort(tmp_path / "cohort", table.assign(file=""), CohortInfo("myositis"), allow_label_conflicts=True)
    shutil.copytree(meta / "FileList", tmp_path / "cohort" / "folds")
    protocol = plan_reproduction(Cohort.open(tmp_path / "cohort"), Recipe())
    assert protocol.tasks == TASKS
    assert [run.recipe.split for run in protocol.runs] == ["published"] * 8 + ["patient"] * 8
    assert {run.recipe.model for run in protocol.runs} == set(MODELS)
    assert protocol.notes == ()


def test_weights_that_cannot_be_had_are_missed_before_the_first_run(tiny_cohort):
    recipe = TINY.model_copy(update={"pretrained": True})
    with pytest.raises(ModelError, match="stanet_xs has no pretrained weights"):
        plan_reproduction(tiny_cohort, recipe, models=["stanet_s", "stanet_xs"])


def test_a_network_that_is_named_twice_runs_once(tiny_cohort):
    protocol = plan_reproduction(tiny_cohort, TINY, models=["stanet_xs", "stanet_xs"], tasks=["affected"])
    assert len(protocol.runs) == 2  # by image and by patient
