"""The audit finds what was planted, stays silent where there is nothing, and gives the published figures."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from myosono.cli.audit import audit_command
from myosono.cli.import_ import import_command
from myosono.cohort import Cohort, Split, make_split
from myosono.cohort.audit import AuditResult, SplitAudit, audit_cohort
from myosono.cohort.audit.findings import find
from myosono.cohort.near_duplicates import dhash, fingerprint, similar_pairs, similarity_groups
from myosono.errors import CohortError, MyosonoError, SplitError, UsageError


def shuffled_names(table: pd.DataFrame) -> pd.DataFrame:
    order = np.random.default_rng(0).permutation(table["patient_id"].nunique())
    names = {patient: f"p{order[i]:03d}" for i, patient in enumerate(table["patient_id"].unique())}
    patient = table["patient_id"].map(names)
    shot = table["image_id"].str.split("-").str[-1]
    return table.assign(patient_id=patient, exam_id=patient, image_id=patient + "-" + shot)


def test_clean_cohort_has_no_findings(build):
    result = audit_cohort(build(shuffled_names).folder, quiet=True)
    assert result.findings == ()
    assert not result.leaks
    assert result.splits[0].near_duplicates == 0
    assert result.lookalikes.pairs == 0
    assert {"device", "image size"} <= set(result.skipped)
    json.dumps(result.to_dict(), allow_nan=False)


def test_image_split_is_called_a_leak(build):
    result = audit_cohort(build(shuffled_names).folder, split="image", quiet=True)
    assert result.leaks
    assert result.findings[0].severity == "leak"
    assert "does not speak for a new patient" in result.findings[0].message


def test_device_and_name_order_that_tell_the_class(build):
    def one_device_per_class(table):
        return table.assign(device=table["label"].map({"Normal": "A", "IBM": "B", "PM": "C", "DM": "D"}))

    result = audit_cohort(build(one_device_per_class).folder, quiet=True)
    reached = {item.feature: item for item in result.shortcuts}
    assert reached["device"].balanced_accuracy == 1.0
    assert reached["device"].suspicious
    assert reached["name order"].suspicious
    assert reached["device"].chance == 0.25
    assert any(
        "device alone predicts the class with 100% balanced accuracy" in item.message for item in result.findings
    )


def test_planted_duplicates_across_roles_and_labels(build, make_speckle):
    def pixels(number):
        # Image 20 (another patient, another label) shows image 0 again, a little brighter.
        return (
            np.clip(make_speckle(0).astype(int) + 6, 0, 255).astype(np.uint8) if number == 20 else make_speckle(number)
        )

    cohort = build(pixels=pixels)
    result = audit_cohort(cohort.folder, quiet=True)
    assert (result.lookalikes.pairs, result.lookalikes.across_labels) == (1, 1)
    first, second = cohort.table["image_id"].iloc[[0, 20]]
    assert [pair[:2] for pair in result.lookalikes.patient_pairs] == [(first, second)]
    assert result.lookalikes.examples == ((first, second),)
    assert any(item.subject == "near-duplicates" and first in item.message for item in result.findings)


def test_conflicts_and_unreadable_files(build, make_speckle):
    def conflict(table):
        table.loc[0, "label"] = "PM"
        return table

    cohort = build(conflict)
    names = cohort.table["image_id"]
    cohort.path_of(names[3]).write_bytes(b"nothing")
    cohort.path_of(names[4]).unlink()
    Image.fromarray(make_speckle(99)).save(cohort.path_of(names[5]))
    result = audit_cohort(cohort.folder, quiet=True)
    assert result.label_conflicts == {"Normal0": ["Normal", "PM"]}
    assert set(result.unreadable) == set(names[3:6])
    assert "missing" in result.unreadable[names[4]]
    assert "SHA-256 differs" in result.unreadable[names[5]]
    assert {"labels", "files"} <= {item.subject for item in result.findings}


def test_split_file(build, tmp_path):
    cohort = build(shuffled_names)
    split = make_split(cohort.table, "patient").table
    split.to_parquet(tmp_path / "splits.parquet")
    assert not audit_cohort(cohort.folder, split_file=tmp_path / "splits.parquet", quiet=True).leaks
    split.loc[split.index[0], "role"] = {"train": "test"}.get(split["role"].iloc[0], "train")
    split.to_csv(tmp_path / "splits.csv", index=False)
    assert audit_cohort(cohort.folder, split_file=tmp_path / "splits.csv", quiet=True).leaks
    with pytest.raises(UsageError, match="either"):
        audit_cohort(cohort.folder, split="patient", split_file=tmp_path / "splits.csv", quiet=True)
    with pytest.raises(SplitError, match="cannot be read"):
        audit_cohort(cohort.folder, split_file=tmp_path / "none.csv", quiet=True)
    with pytest.raises(SplitError, match="no published fold files"):
        audit_cohort(cohort.folder, split="published", quiet=True)
    with pytest.raises(SplitError, match="too few for 9 folds"):
        audit_cohort(cohort.folder, split="patient", folds=9, quiet=True)
    assert "patient split" in audit_cohort(cohort.folder, folds=9, quiet=True).skipped


def test_audit_is_deterministic(build):
    folder = build(shuffled_names).folder
    first, again = (audit_cohort(folder, quiet=True).to_dict() for _ in range(2))
    assert first == again


def test_real_metadata_gives_the_published_overlap(meta):
    result = audit_cohort(meta, quiet=True)
    assert (result.images, result.patients) == (3214, 80)
    assert {name: count["patients"] for name, count in result.counts.items()} == {
        "Normal": 33,
        "IBM": 19,
        "PM": 14,
        "DM": 14,
    }
    published = {split.name: split.folds[0] for split in result.splits if split.name != "patient"}
    assert len(published) == 20
    assert all(fold.patient_seen == fold.patient_in_train == 1.0 for fold in published.values())
    seen = [fold.site_seen for fold in published.values()]
    assert np.mean(seen) == pytest.approx(0.957, abs=0.001)
    assert (min(seen), max(seen)) == pytest.approx((0.929, 0.972), abs=0.001)
    assert published["S4 fold 1"].site_in_train == pytest.approx(0.939, abs=0.001)
    assert not next(split for split in result.splits if split.name == "patient").leaks
    assert result.skipped["near-duplicates"] == "metadata only, no pixels"


def test_hash_survives_gain_and_size_not_another_image(make_speckle):
    image = make_speckle(1)
    brighter = (image * 0.9).astype(np.uint8)
    larger = np.asarray(Image.fromarray(image).resize((120, 160)))
    assert (dhash(image) ^ dhash(brighter)).bit_count() <= 3
    assert (dhash(image) ^ dhash(larger)).bit_count() <= 3
    assert (dhash(image) ^ dhash(make_speckle(2))).bit_count() > 10


def test_pairs_match_a_plain_loop(make_speckle):
    prints = [fingerprint(make_speckle(seed // 2)) for seed in range(60)]
    slow = {
        (a, b)
        for a in range(60)
        for b in range(a + 1, 60)
        if (prints[a].dhash ^ prints[b].dhash).bit_count() <= 10 and prints[a].thumbnail @ prints[b].thumbnail >= 0.985
    }
    pairs = similar_pairs(prints)
    assert {(pair.first, pair.second) for pair in pairs} == slow
    assert len(slow) == 30
    assert len(set(similarity_groups(60, pairs))) == 30
    assert similar_pairs(prints[:1]) == []
    assert similar_pairs([fingerprint(np.zeros((20, 20), np.uint8))] * 2) == []


def test_pairs_of_many_like_frames_are_those_of_one_product(make_speckle):
    """More candidates than are compared at a time: the frames of a clip, whose pairs had been gathered all at once."""
    rng = np.random.default_rng(0)
    base = make_speckle(0).astype(int)
    prints = [fingerprint(np.clip(base + rng.integers(-4, 5, base.shape), 0, 255).astype(np.uint8)) for _ in range(120)]
    pairs = similar_pairs(prints)
    thumbnails = np.stack([item.thumbnail for item in prints])
    first, second = np.array([pair.first for pair in pairs]), np.array([pair.second for pair in pairs])
    assert len(pairs) > 4096
    together = np.einsum("ij,ij->i", thumbnails[first], thumbnails[second])
    assert [pair.correlation for pair in pairs] == together.tolist()


def run(command, *arguments):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(item) for item in arguments])


def test_audit_command(build):
    folder = build(shuffled_names).folder
    plain = run(audit_command, folder)
    assert plain.exit_code == 0, plain.output
    assert "planted: 72 images of 24 patients" in plain.output
    assert "Nothing found" in plain.output
    strict = run(audit_command, folder, "--split", "image", "--strict", "--json")
    assert strict.exit_code == 1
    data = json.loads(strict.stdout)
    assert data["leaks"] is True
    assert data["splits"][0]["folds"][0]["patient_seen"] > 0.5


def test_import_command(manifest_folder, tmp_path):
    done = run(import_command, manifest_folder, "--out", tmp_path / "a", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["cohort"]["images"] == 12
    next((manifest_folder / "images" / "benign").iterdir()).write_bytes(b"")
    partly = run(import_command, manifest_folder, "--out", tmp_path / "b")
    assert partly.exit_code == 1
    assert "Read as manifest: it holds index.csv" in partly.output
    assert "not read" in partly.output
    assert Cohort.open(tmp_path / "b").info.images == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one source"),
        (("x", "--download", "myositis"), "name one source"),
        (("nowhere",), "does not exist"),
        ((".", "--column", "file"), "not of the form"),
        ((".", "--patients", "guess"), "unknown --patients"),
        (("--download", "lungs"), "unknown release"),
    ],
)
def test_import_command_refuses(arguments, message, tmp_path):
    result = run(import_command, *arguments, "--out", tmp_path / "out")
    assert isinstance(result.exception, MyosonoError)
    assert message in str(result.exception)


def test_download_then_import(tmp_path, make_patient_data, make_screen, small_chart, monkeypatch):
    released = make_patient_data(tmp_path / "PatientData.mat", small_chart, [make_screen(0)[0]])

    def fetch(name, folder, *, base_url):
        assert (name, base_url) == ("myositis", None)
        folder.mkdir()
        copy = shutil.copy(released, folder)
        return type("Done", (), {"path": copy})

    monkeypatch.setattr("myosono.cohort.download.download_release", fetch)
    result = run(import_command, "--download", "myositis", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert Cohort.open(tmp_path / "out").info.images == 20
    assert (tmp_path / "out-download" / "PatientData.mat").is_file()


def test_audit_of_nothing(tmp_path):
    with pytest.raises(CohortError, match="the folder is empty"):
        audit_cohort(tmp_path)


def test_a_leak_into_validation_alone_names_its_patients():
    """The fold with most seen test images was told of, the first of all where none is: "0 patients occur"."""
    table = pd.DataFrame({"image_id": list("abcdefgh"), "patient_id": list("11223344"), "label": list("xxyyxxyy")})
    roles = (
        "train train validation validation test test test test",
        "train validation train train test test test test",
    )
    rows = [(name, fold, role) for fold, named in enumerate(roles)
            for name, role in zip(table["image_id"], named.split(), strict=True)]  # fmt: skip
    split = Split.from_table(pd.DataFrame(rows, columns=["image_id", "fold", "role"]), table, "file")
    result = AuditResult("x", "", 8, 4, {}, splits=(SplitAudit("file", split.overlap),))
    (finding,) = find(result)
    assert finding.severity == "leak"
    assert finding.message.startswith("1 patient occurs in more than one role; for 0.0% of test images")
    assert "Test patients are new" in finding.message
    assert "does not speak" not in finding.message
