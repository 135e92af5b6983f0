"""Uçar's crops, manifests, class folders and DICOM trees; and how a reader is chosen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from myosono.cohort import Cohort, get_task, make_split
from myosono.cohort.importing import import_cohort
from myosono.cohort.published import SCENARIOS, find_fold_files
from myosono.cohort.readers import ReadOptions, choose_reader
from myosono.cohort.readers.ucar import WORKBOOK
from myosono.errors import CohortError, SplitError, UsageError
from myosono.training import Recipe
from myosono.training.train import target_rows

HEADERS = [
    "Patient Identifier",
    "2D Image",
    "Muscle\nD - deltoid",
    "Age",
    "Sex",
    "Muscle Strength\n(1 - 10)",
    "Diagnosis\nD - Dermatomyositis",
    "CPK",
    "Duration of symptoms (months)",
    "Cropped Image Name",
]


@pytest.fixture
def crops(tmp_path, make_speckle):
    """8 crops of 4 patients; the workbook names a patient on the first row only."""
    root = tmp_path / "ucar"
    (root / "crops").mkdir(parents=True)
    rows = []
    for number in range(8):
        name = f"{number + 1}.PNG"
        Image.fromarray(make_speckle(number)).save(root / "crops" / name)
        patient = f"M00{number // 2}" if number % 2 == 0 else None
        diagnosis = "DPIN"[number // 2]
        image = f"201509221340{number:02d}"
        rows.append((patient, image, "RD", "65", "F", "10", diagnosis, None, None, name))
    pd.DataFrame(rows, columns=HEADERS).to_excel(root / WORKBOOK, index=False)
    (root / "FileList").mkdir()
    for fold in (1, 2):
        pieces = [
            (
                f"{n + 1}.PNG",
                f"201509221340{n:02d}",
                "DPIN"[n // 2],
                n // 2,
                ["Train", "Validation", "Test"][(n + fold) % 3],
            )
            for n in range(8)
        ]
        columns = ["FileNames", "OrginalFileID", "Labels", "Class", "Type"]
        pd.DataFrame(pieces, columns=columns).to_csv(root / "FileList" / f"S4_FileList_Fold_{fold}.csv", index=False)
    return root


def test_crops_with_workbook_and_folds(crops, tmp_path, make_speckle):
    result = import_cohort(crops, tmp_path / "out", quiet=True)
    cohort = result.cohort
    assert (result.reader, result.reason) == ("ucar", f"it holds {WORKBOOK}")
    assert cohort.table["patient_id"].tolist() == ["M000"] * 2 + ["M001"] * 2 + ["M002"] * 2 + ["M003"] * 2
    assert cohort.table["age"].tolist() == [65.0] * 8
    assert "cpk" not in cohort.table.columns
    np.testing.assert_array_equal(cohort.image("20150922134003"), make_speckle(3))
    split = make_split(cohort.table, "published", fold_files=cohort.folds_folder)
    assert split.leaks
    assert split.folds == (0, 1)
    targets = get_task("affected", cohort.info.classes).targets(cohort.table["label"])
    with pytest.raises(SplitError, match="classes are other than the task's"):
        make_split(cohort.table, "published", fold_files=cohort.folds_folder, targets=targets)


def test_missing_and_damaged_crops_are_listed(crops, tmp_path):
    (crops / "crops" / "3.PNG").unlink()
    (crops / "crops" / "5.PNG").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    result = import_cohort(crops, tmp_path / "out", quiet=True)
    assert [item.source for item in result.failures] == ["3.PNG", "5.PNG"]
    assert result.failures[0].reason == "the image file is missing"
    assert result.cohort.info.images == 6


def test_wrong_workbooks(crops, tmp_path):
    table = pd.read_excel(crops / WORKBOOK, dtype=str)
    table.drop(columns=HEADERS[6]).to_excel(crops / WORKBOOK, index=False)
    with pytest.raises(CohortError, match="lacks the column 'Diagnosis'"):
        import_cohort(crops, tmp_path / "out", quiet=True)
    table.assign(**{HEADERS[2]: "XX"}).to_excel(crops / WORKBOOK, index=False)
    with pytest.raises(CohortError, match="unknown muscle code 'XX'"):
        import_cohort(crops, tmp_path / "out", quiet=True)
    (crops / WORKBOOK).write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(CohortError, match="the workbook cannot be read"):
        import_cohort(crops, tmp_path / "out", quiet=True)
    shutil.rmtree(crops / "crops")
    table.to_excel(crops / WORKBOOK, index=False)
    with pytest.raises(CohortError, match="none of the crops"):
        import_cohort(crops, tmp_path / "out", quiet=True)


def test_real_workbook_and_folds_give_the_published_counts(real_metadata):
    table, source, reader = real_metadata
    assert reader == "ucar"
    assert len(table) == 3214
    assert table.groupby("label")["patient_id"].nunique().to_dict() == {"Normal": 33, "IBM": 19, "PM": 14, "DM": 14}
    assert len(source.fold_files) == 20
    notes = " ".join(source.notes)
    assert "2,752 images of an earlier release: 2,452 of the 3,214 here and 300 that are not" in notes
    assert "patient R014 is PM in im_muscle_chart.mat and DM in the workbook (36 images)" in notes


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_real_folds_serve_the_four_tasks(meta, real_metadata, scenario):
    table, _, _ = real_metadata
    task = get_task(SCENARIOS[scenario], ["Normal", "IBM", "PM", "DM"])
    split = make_split(table, "published", targets=task.targets(table["label"]), fold_files=meta / "FileList")
    assert split.leaks
    expected = pd.concat([item.read() for item in find_fold_files(meta / "FileList") if item.scenario == scenario])
    assert len(split.table) == len(expected)
    assert (split.table["role"].to_numpy() == expected["role"].to_numpy()).all()
    tested = split.table.loc[split.table["role"] == "test", "image_id"]
    assert tested.is_unique


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
    with pytest.raises(CohortError, match="image_id 'benign/benign_000' occurs more than once"):
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


@pytest.mark.parametrize(
    ("layout", "pattern", "expected"),
    [
        ("P{p:03d}_RD_{s}.png", None, "P001"),
        ("P{p:03d}/{s}.png", None, "P001"),
        ("case{p:02d}-{s}.png", None, "case01"),
        ("x{s}-subject{p}.png", r"subject(?P<patient>\d+)", "1"),
    ],
)
def test_class_folders(tmp_path, make_speckle, layout, pattern, expected):
    for number in range(12):
        label = ("IBM", "Normal")[number // 2 % 2]
        file = tmp_path / "set" / label / layout.format(p=number // 2, s=number % 2 + 1)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_speckle(number)).save(file)
    options = ReadOptions(patient_pattern=pattern)
    result = import_cohort(tmp_path / "set", tmp_path / "out", options=options, quiet=True)
    assert result.reader == "folders"
    assert result.cohort.info.patients == 6
    assert expected in set(result.cohort.table["patient_id"])
    if layout.startswith("P{p:03d}_"):
        assert set(result.cohort.table["muscle"] + result.cohort.table["side"]) == {"DR"}


def save_clip(file: Path, frames: list[np.ndarray]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(file, save_all=True, append_images=others)


def test_frames_know_their_clip_and_stay_together(tmp_path, make_speckle):
    for number in range(4):
        folder = tmp_path / "set" / ("IBM", "Normal")[number % 2] / f"P{number}"
        save_clip(folder / "loop.tif", [make_speckle(10 * number + frame) for frame in range(3)])
        Image.fromarray(make_speckle(10 * number + 5)).save(folder / "still.png")
    table = import_cohort(tmp_path / "set", tmp_path / "out", quiet=True).cohort.table.set_index("image_id")
    assert table.loc["IBM/P0/loop-f0002", "clip"] == "IBM/P0/loop.tif"
    assert table.loc["IBM/P0/still", "clip"] == ""
    for patients in ("image", "near-duplicate"):
        options = ReadOptions(patients=patients)
        cohort = import_cohort(tmp_path / "set", tmp_path / patients, options=options, quiet=True).cohort
        assert cohort.info.patients == 8, "four clips and four stills"
        assert (cohort.table[cohort.table["clip"] != ""].groupby("clip")["patient_id"].nunique() == 1).all()
    rows, classes = target_rows(Cohort.open(tmp_path / "out"), Recipe())
    assert "clip" in rows
    assert set(classes) == {"IBM", "Normal"}


def test_class_folders_that_do_not_tell_patients(tmp_path, make_speckle):
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        Image.fromarray(make_speckle(1)).save(tmp_path / "set" / label / "picture.png")
    with pytest.raises(CohortError, match="--patient-pattern"):
        import_cohort(tmp_path / "set", tmp_path / "out", quiet=True)
    for pattern, message in (("(", "not a regular expression"), ("x", "has no group")):
        with pytest.raises(UsageError, match=message):
            import_cohort(tmp_path / "set", tmp_path / "out", options=ReadOptions(patient_pattern=pattern), quiet=True)
    with pytest.raises(CohortError, match="no image could be imported, 2 failed"):
        import_cohort(tmp_path / "set", tmp_path / "out", options=ReadOptions(patient_pattern=r"P(\d)"), quiet=True)


@pytest.fixture
def dicom_tree(tmp_path, make_speckle):
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

    root = tmp_path / "tree"
    for number in range(4):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.PatientID = f"A{number}"
        data.Modality, data.Manufacturer = "US", "Maker"
        data.Rows, data.Columns, data.SamplesPerPixel = 80, 60, 1
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation = 7, 0
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = make_speckle(number).tobytes()
        file = root / f"study{number}" / "IM0001"
        file.parent.mkdir(parents=True)
        data.save_as(file, enforce_file_format=True)
    return root


def test_dicom_tree(dicom_tree, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("patient_id,label\nA0,IBM\nA1,Normal\nA2,IBM\n")
    with pytest.raises(UsageError, match="--labels"):
        import_cohort(dicom_tree, tmp_path / "out", quiet=True)
    result = import_cohort(dicom_tree, tmp_path / "out", options=ReadOptions(labels=labels), quiet=True)
    assert result.reader == "dicom"
    assert result.cohort.table["patient_id"].tolist() == ["A0", "A1", "A2"]
    assert [item.reason for item in result.failures] == ["no label for patient 'A3'"]
    labels.write_text("patient_id,label\nA0,IBM\nA0,Normal\n")
    with pytest.raises(CohortError, match="patient 'A0' has two labels"):
        import_cohort(dicom_tree, tmp_path / "b", options=ReadOptions(labels=labels), quiet=True)
    labels.write_text("patient,label\nA0,IBM\n")
    with pytest.raises(CohortError, match="lacks the column 'patient_id'"):
        import_cohort(dicom_tree, tmp_path / "b", options=ReadOptions(labels=labels), quiet=True)


def test_sources_that_nobody_reads(tmp_path, manifest_folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="the folder is empty"):
        choose_reader(tmp_path / "empty")
    (tmp_path / "empty" / "a.txt").write_text("text")
    with pytest.raises(CohortError, match="no reader recognises"):
        choose_reader(tmp_path / "empty")
    with pytest.raises(UsageError, match="does not exist"):
        choose_reader(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="unknown reader 'magic'"):
        choose_reader(tmp_path, "magic")
    assert choose_reader(manifest_folder, "folders")[1] == "named by the user"
    import_cohort(manifest_folder, tmp_path / "out", quiet=True)
    with pytest.raises(UsageError, match="a cohort already"):
        import_cohort(tmp_path / "out", tmp_path / "again", quiet=True)


@pytest.mark.slow
def test_real_lung_set(shared, tmp_path):
    options = ReadOptions(exclude_labels=("viral_pneumonia",))
    with pytest.raises(CohortError, match=r"patient '(7|37)' has 2 labels"):
        import_cohort(shared / "pocus_lung", tmp_path / "out", options=options, quiet=True)
    result = import_cohort(
        shared / "pocus_lung", tmp_path / "out", options=options, allow_label_conflicts=True, quiet=True
    )
    assert result.failures == ()
    assert (result.cohort.info.images, result.cohort.info.patients) == (782, 103)
    assert result.cohort.info.label_conflicts == ("37", "7")
    assert not make_split(result.cohort.table, "patient").leaks
