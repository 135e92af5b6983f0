"""Manifests, and what an import refuses, keeps and puts in place."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from myosono.cohort import Cohort
from myosono.cohort.importing import import_cohort
from myosono.cohort.readers import ReadOptions
from myosono.errors import CohortError, UsageError


def test_manifest(manifest_folder, tmp_path):
    result = import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    assert (result.reader, result.reason) == ("manifest", "it holds index.csv")
    assert result.cohort.table["image_id"].iloc[0] == "benign/benign_000"
    assert result.to_dict()["counts"]["benign"] == {"images": 6, "patients": 3}


def test_manifest_as_parquet_with_other_columns(manifest_folder, tmp_path):
    table = pd.read_csv(manifest_folder / "index.csv", dtype=str)
    table = table.rename(columns={"file": "picture", "patient_id": "who"}).assign(age=["41", "old"] * 6, gender="F")
    table.to_parquet(manifest_folder / "list.parquet")
    options = ReadOptions(columns={"file": "picture", "patient_id": "who"}, exclude_labels=("malignant",))
    cohort = import_cohort(manifest_folder / "list.parquet", tmp_path / "out", options=options, quiet=True).cohort
    assert cohort.info.classes == ("benign",)
    assert cohort.table["sex"].unique().tolist() == ["F"]
    assert cohort.table["age"].isna().sum() == 3
    assert cohort.info.notes == ("6 rows left out by label", "3 values of age are not numbers and were left empty")


def test_manifest_of_files_that_differ_only_after_a_dot(tmp_path, make_speckle):
    rows = ["file,label,patient_id"]
    for number in range(4):
        name = f"1.2.826.0.{number}.png" if number % 2 else f"1.2.826.0.{number + 1}.bmp"
        Image.fromarray(make_speckle(number)).save(tmp_path / name)
        rows.append(f"{name},{('IBM', 'Normal')[number % 2]},P{number}")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    table = import_cohort(tmp_path, tmp_path.with_name("out-of-dots"), quiet=True).cohort.table
    assert table["image_id"].is_unique
    assert len(table) == 4


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_chosen_column_wins_over_one_that_has_our_name(manifest_folder, tmp_path, ours_first):
    table = pd.read_csv(manifest_folder / "index.csv", dtype=str).rename(columns={"patient_id": "subject"})
    table.insert(0 if ours_first else len(table.columns), "patient_id", [f"rec{row}" for row in range(len(table))])
    table.to_csv(manifest_folder / "index.csv", index=False)
    options = ReadOptions(columns={"patient_id": "subject"})
    cohort = import_cohort(manifest_folder, tmp_path / "out", options=options, quiet=True).cohort
    assert set(cohort.table["patient_id"]) == set(table["subject"])


def test_a_cohort_is_never_written_over_its_own_originals(tmp_path, make_speckle):
    study = tmp_path / "study"
    for number in range(4):
        file = study / "images" / ("IBM", "Normal")[number % 2] / f"P{number:03d}_RD_1.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_speckle(number)).save(file)
    before = sorted(study.rglob("*"))
    for source, out in ((study, study), (study / "images", study), (study, study / "cohort")):
        with pytest.raises(UsageError, match="overlap"):
            import_cohort(source, out, overwrite=True, quiet=True)
    other = tmp_path / "other"
    shutil.copytree(study, other)
    with pytest.raises(CohortError, match="no cohort that could be replaced"):
        import_cohort(study, other, overwrite=True, quiet=True)
    assert sorted(study.rglob("*")) == before
    assert len(list(other.rglob("*.png"))) == 4
    assert import_cohort(study, tmp_path / "out", quiet=True).cohort.info.images == 4


def test_a_failed_import_leaves_the_cohort_that_was_there(manifest_folder, tmp_path):
    first = import_cohort(manifest_folder, tmp_path / "out", quiet=True).cohort
    for file in manifest_folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(CohortError, match="no image could be imported"):
        import_cohort(manifest_folder, tmp_path / "out", overwrite=True, quiet=True)
    again = Cohort.open(tmp_path / "out")
    assert again.info == first.info
    assert again.image(again.table["image_id"][0]).ndim == 2
    assert not (tmp_path / "out" / ".partial").exists()


def test_manifest_that_lacks_a_column(manifest_folder, tmp_path):
    table = pd.read_csv(manifest_folder / "index.csv", dtype=str)
    table.drop(columns="patient_id").to_csv(manifest_folder / "index.csv", index=False)
    with pytest.raises(CohortError, match=r"lacks the column 'patient_id'.*near-duplicate"):
        import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    with pytest.raises(CohortError, match="lacks the column 'nobody'"):
        import_cohort(manifest_folder, tmp_path / "out", options=ReadOptions(columns={"file": "nobody"}), quiet=True)
    with pytest.raises(UsageError, match="no such cohort column"):
        import_cohort(manifest_folder, tmp_path / "out", options=ReadOptions(columns={"colour": "x"}), quiet=True)
    (manifest_folder / "index.csv").write_text("file,label,patient_id\n")
    with pytest.raises(CohortError, match="no rows"):
        import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    (manifest_folder / "index.csv").write_text("")
    with pytest.raises(CohortError, match="cannot be read"):
        import_cohort(manifest_folder, tmp_path / "out", quiet=True)


def test_unreadable_images_among_good_ones(manifest_folder, tmp_path):
    files = sorted((manifest_folder / "images" / "benign").iterdir())
    files[0].write_bytes(b"")
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])
    result = import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    assert [Path(item.source).name for item in result.failures] == [file.name for file in files[:3]]
    assert result.cohort.info.images == 9


def test_two_labels_and_duplicates_stop_the_import(manifest_folder, tmp_path):
    table = pd.read_csv(manifest_folder / "index.csv", dtype=str)
    table.assign(patient_id="7").to_csv(manifest_folder / "index.csv", index=False)
    with pytest.raises(CohortError, match="patient '7' has 2 labels: benign, malignant"):
        import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
    accepted = import_cohort(manifest_folder, tmp_path / "out", allow_label_conflicts=True, quiet=True)
    assert accepted.cohort.info.label_conflicts == ("7",)
    pd.concat([table, table[:1]]).to_csv(manifest_folder / "index.csv", index=False)
    with pytest.raises(CohortError, match=r"index\.csv: row 13 names the file '.*benign_000\.png' of row 1 again"):
        import_cohort(manifest_folder, tmp_path / "again", quiet=True)


def test_unknown_patients_are_grouped_by_likeness(manifest_folder, tmp_path):
    images = manifest_folder / "images" / "benign"
    shutil.copy(images / "benign_000.png", images / "benign_001.png")
    options = ReadOptions(patients="near-duplicate")
    cohort = import_cohort(manifest_folder, tmp_path / "out", options=options, quiet=True).cohort
    patient = cohort.table.set_index("image_id")["patient_id"]
    assert patient["benign/benign_000"] == patient["benign/benign_001"]
    assert patient.nunique() == 11
    assert "11 groups of near-duplicates" in cohort.info.notes[0]
    alone = import_cohort(manifest_folder, tmp_path / "b", options=ReadOptions(patients="image"), quiet=True).cohort
    assert alone.info.patients == 12


def test_a_manifest_may_list_files_alike_in_two_folders_but_none_twice(tmp_path, make_speckle):
    (tmp_path / "images").mkdir()
    rows = ["file,label,patient_id"]
    for number, name in enumerate(["images/a.png", "a.png", "b.png"]):
        Image.fromarray(make_speckle(number)).save(tmp_path / name)
        rows.append(f"{name},{('IBM', 'Normal')[number % 2]},P{number}")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    table = import_cohort(tmp_path, tmp_path.with_name("out-alike"), quiet=True).cohort.table
    assert len(table) == 3
    assert table["image_id"].is_unique
    (tmp_path / "index.csv").write_text("\n".join([*rows, "./b.png,IBM,P2"]) + "\n")
    with pytest.raises(CohortError, match=r"row 4 names the file '\./b\.png' of row 3 again"):
        import_cohort(tmp_path, tmp_path.with_name("out-twice"), quiet=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_names_that_are_not_utf_8_are_taken(tmp_path, make_speckle):
    """Names unzipped from GBK had ended the import in a traceback."""
    for number in range(4):
        label = ("IBM", "Normal")[number % 2]
        folder = Path(os.fsdecode(os.fsencode(tmp_path / "study" / label) + b"/\xd5\xc5%d" % number))
        folder.mkdir(parents=True)
        Image.fromarray(make_speckle(number)).save(folder / os.fsdecode(b"\xc8\xfd_1.png"))
    result = import_cohort(tmp_path / "study", tmp_path / "out", quiet=True)
    assert r"\xd5\xc50" in set(result.cohort.table["patient_id"])
    assert len(result.cohort.table) == 4


def test_what_an_import_leaves_out_is_said(tmp_path, make_speckle, monkeypatch):
    for label in ("IBM", "Normal"):
        for number in range(2):
            folder = tmp_path / "study" / label / f"P{label}{number}"
            folder.mkdir(parents=True)
            Image.fromarray(make_speckle(number)).save(folder / "1.png")
    (tmp_path / "study" / "IBM" / "PIBM0" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "study" / "IBM" / "notes.txt").write_text("notes")
    (tmp_path / "study" / "loose.png").write_bytes(b"x")
    (tmp_path / "study" / "Normal" / "PNormal0" / "loop.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(64))
    monkeypatch.setitem(sys.modules, "cv2", None)  # the extra is not installed
    result = import_cohort(tmp_path / "study", tmp_path / "out", quiet=True)
    assert len(result.cohort.table) == 4
    assert sorted(Path(failure.source).name for failure in result.failures) == ["gone.png", "loop.mp4"]
    notes = " ".join(result.cohort.info.notes)
    assert "1 files beside the class folders were left out ('loose.png' first)" in notes
    assert "1 files in IBM were left out ('notes.txt' first: not an image)" in notes
