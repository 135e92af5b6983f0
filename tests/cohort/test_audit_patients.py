"""What an audit says of the patients: unknown, under two names, or with the same picture as another."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from myosono.cohort import Cohort
from myosono.cohort.audit import audit_cohort
from myosono.cohort.audit.spellings import same_when_read
from myosono.cohort.importing import import_cohort
from myosono.cohort.readers import ReadOptions
from myosono.errors import CohortError, UsageError


def of(result, subject):  # type: ignore[no-untyped-def]
    return [item for item in result.findings if item.subject == subject]


@pytest.fixture
def copied(build, make_speckle):
    """Images 0 and 30, of two patients, are one file."""
    return build(pixels=lambda number: make_speckle(0 if number == 30 else number))


def test_one_file_under_two_patients_is_a_leak(copied):
    """It was a warning among look-alikes, and --strict exited with 0."""
    first, second = copied.table["image_id"].iloc[[0, 30]]
    result = audit_cohort(copied.folder, quiet=True)
    assert result.identical == ((first, second),)
    assert result.leaks
    (finding,) = of(result, "identical images")
    assert finding.severity == "leak"
    assert f"1 image occurs byte for byte under several patients: {first} = {second}" in finding.message


def test_one_file_in_test_and_training_is_a_leak(build, make_speckle, tmp_path):
    """One patient's own picture, twice: no patient's other images need be shared."""
    cohort = build(pixels=lambda number: make_speckle(0 if number == 30 else number))
    first, second = cohort.table["image_id"].iloc[[0, 30]]
    patient = dict(zip(cohort.table["image_id"], cohort.table["patient_id"], strict=True))
    role = {patient[first]: "train", patient[second]: "test"}
    rows = [(name, fold, role.get(patient[name], "train")) for fold in (0, 1) for name in cohort.table["image_id"]]
    pd.DataFrame(rows, columns=["image_id", "fold", "role"]).to_csv(tmp_path / "s.csv", index=False)
    result = audit_cohort(cohort.folder, split_file=tmp_path / "s.csv", quiet=True)
    (split,) = result.splits
    assert not split.shares_patients
    assert split.leaks
    assert split.identical == ((second, first),)
    leak, *_ = of(result, "split s.csv")
    assert leak.severity == "leak"
    assert f"byte for byte also in training or validation: {second} (as {first})" in leak.message


def test_look_alike_pairs_count_once_however_many_folds_they_cross(build, make_speckle, tmp_path):
    """Four pairs of five folds had become eight."""

    def pixels(number):
        brighter = np.clip(make_speckle(0).astype(int) + 6, 0, 255).astype(np.uint8)
        return brighter if number == 30 else make_speckle(number)

    cohort = build(pixels=pixels)
    first, second = cohort.table["image_id"].iloc[[0, 30]]
    rows = [
        (name, fold, "test" if (name == first) == (fold == 0) else "train")
        for fold in (0, 1)
        for name in cohort.table["image_id"]
    ]
    pd.DataFrame(rows, columns=["image_id", "fold", "role"]).to_csv(tmp_path / "s.csv", index=False)
    result = audit_cohort(cohort.folder, split_file=tmp_path / "s.csv", quiet=True)
    assert result.splits[0].near_duplicates == 1
    assert not result.splits[0].identical
    assert any(f"most alike {first} and {second}" in item.message for item in of(result, "split s.csv"))
    told = result.to_dict()
    assert told["splits"][0]["near_duplicates"] == 1
    assert [pair[:2] for pair in told["splits"][0]["lookalike_pairs"]] == [(first, second)]
    assert [pair[:2] for pair in told["lookalikes"]["patient_pairs"]] == [(first, second)]


@pytest.mark.parametrize(
    ("ids", "meet"),
    [
        (["P001", "p001"], True),
        (["P001", "P01"], True),
        (["P-01", "P_1", "P 1"], True),
        ([unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD")], True),
        (["Ｐ１", "P1"], True),
        (["STRASSE", "straße"], True),
        (["P1-2", "P12"], False),
        (["P10", "P1"], False),
        (["N003", "N003a"], False),
        (["की", "का"], False),  # vowel signs are letters, not ornaments
        (["?", "-"], False),
    ],
)
def test_ids_that_read_like_one(ids, meet):
    assert len(same_when_read(ids)) == meet


def test_a_person_under_two_spellings_is_warned_of(build):
    """P001 and p001 had been two people without a word."""

    def respell(table):
        odd = table.index[table["patient_id"] == "PM3"][1:]
        table.loc[odd, "patient_id"] = "pm-03"
        return table

    result = audit_cohort(build(respell).folder, quiet=True)
    assert result.spellings == (("PM3", "pm-03"),)
    (finding,) = of(result, "patients")
    assert finding.severity == "warning"
    assert "ids that read like one patient: PM3 = pm-03." in finding.message


def each_alone(table):
    return table.assign(patient_id=table["image_id"], exam_id=table["image_id"])


@pytest.mark.parametrize(
    ("patients_from", "notes", "severity"),
    [
        ("image", (), "leak"),
        ("near-duplicate", (), "leak"),
        ("source", (), "note"),
        ("", (), "warning"),
        ("", ("patients are unknown: each image counts as its own patient, so patient-level figures are ...",), "leak"),
    ],
)
def test_patients_that_are_images(build, patients_from, notes, severity):
    """It passed as clean; true ids with one image each are no leak, and older cohorts say it in a note alone."""
    cohort = build(each_alone, patients_from=patients_from, notes=notes)
    (finding,) = of(audit_cohort(cohort.folder, quiet=True), "patients")
    assert finding.severity == severity
    assert "patient-level figures are image-level ones" in finding.message


@pytest.mark.parametrize(
    "facts",
    [{"patients_from": "near-duplicate"}, {"notes": ("patients are unknown: 72 images form 24 groups of ...",)}],
)
def test_patients_that_are_groups_of_look_alikes(build, facts):
    (finding,) = of(audit_cohort(build(**facts).folder, quiet=True), "patients")
    assert finding.severity == "warning"
    assert "patients are unknown: 24 groups of images stand for them" in finding.message


def test_frames_of_a_clip_are_one_image_to_a_patient(build):
    def clips(table):
        return table.assign(clip=table["patient_id"])

    (finding,) = of(audit_cohort(build(clips, patients_from="image").folder, quiet=True), "patients")
    assert finding.severity == "leak"


@pytest.mark.parametrize("patients", ["source", "near-duplicate", "image"])
def test_an_import_records_how_patients_were_named(manifest_folder, tmp_path, patients):
    cohort = import_cohort(manifest_folder, tmp_path / "c", options=ReadOptions(patients=patients), quiet=True).cohort
    assert cohort.info.patients_from == patients
    stored = json.loads((cohort.folder / "cohort.json").read_text())
    del stored["patients_from"]  # as earlier versions wrote it
    (cohort.folder / "cohort.json").write_text(json.dumps(stored))
    again = Cohort.open(cohort.folder).info
    assert again.content_hash == cohort.info.content_hash
    assert again.patients_from == ""


def test_name_order_leaves_out_the_class_that_a_name_begins_with(build):
    """Ids of class folders begin with the class, so that any import of them had been warned of."""
    order = np.random.default_rng(0).permutation(24)

    def class_folders(table):
        number = {name: f"p{order[i]:02d}" for i, name in enumerate(table["patient_id"].unique())}
        patient = table["patient_id"].map(number)
        return table.assign(patient_id=patient, image_id=table["label"] + "/" + patient + table["image_id"].str[-2:])

    result = audit_cohort(build(class_folders).folder, quiet=True)
    reached = {item.feature: item for item in result.shortcuts}
    assert not reached["name order"].suspicious


def test_names_with_superscript_digits_have_an_order(build):
    result = audit_cohort(build(lambda table: table.assign(image_id="1²3" + table["image_id"])).folder, quiet=True)
    assert "name order" in {item.feature for item in result.shortcuts}


def test_a_huge_image_is_listed_as_unreadable(build, monkeypatch):
    cohort = build()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    result = audit_cohort(cohort.folder, quiet=True)
    assert len(result.unreadable) == 72


def test_remedies_of_a_source_are_those_of_import(tmp_path, make_speckle):
    """The audit advised --patient-pattern, which it lacks."""
    for label in ("a", "b"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for name in ("one", "two"):
            Image.fromarray(make_speckle(0)).save(tmp_path / "images" / label / f"{name}.png")
    with pytest.raises(CohortError, match=r"Import it first .* for myosono import: Pass --patient-pattern"):
        audit_cohort(tmp_path / "images", quiet=True)


def test_remedies_of_a_dicom_tree_are_those_of_import(tmp_path, monkeypatch):
    def read(path):  # type: ignore[no-untyped-def]
        raise UsageError("DICOM files carry no diagnosis", path=path, remedy="Pass --labels CSV (patient_id,label)")

    monkeypatch.setattr("myosono.cohort.audit.audit.read_metadata", read)
    with pytest.raises(UsageError, match="for myosono import: Pass --labels"):
        audit_cohort(tmp_path, quiet=True)


def test_a_manifest_without_a_usable_row_names_the_first(manifest_folder):
    """The message had been that the cohort table lacks the column 'image_id'."""
    table = pd.read_csv(manifest_folder / "index.csv", dtype=str).assign(patient_id="")
    table.to_csv(manifest_folder / "index.csv", index=False)
    with pytest.raises(CohortError, match=r"12 failed \(first: images/benign/.*: the row has no patient_id\)"):
        audit_cohort(manifest_folder, quiet=True)
