"""Uçar's crops, class folders and DICOM trees; and how a reader is chosen."""

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
