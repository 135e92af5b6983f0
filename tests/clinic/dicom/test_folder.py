"""Copies of files: under names that tell nothing, refused ones named, the secret kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from myosono.cli.main import app
from myosono.clinic.dicom import DeidentifyOptions
from myosono.clinic.dicom.folder import export_files, open_salt
from myosono.errors import ClinicError, UsageError
from myosono.imaging import Area, Limits

SALT = b"a secret of this test, 16+ bytes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clean-able image, one without an area, one that is damaged."""
    images = tmp_path / "in"
    images.mkdir()
    for name in ("US1_UNCR.dcm", "color-pl.dcm"):
        shutil.copy(str(get_testdata_file(name)), images / name)
    (images / "broken.dcm").write_bytes((images / "US1_UNCR.dcm").read_bytes()[:3000])
    return images


def test_copies_lie_under_the_pseudonym_and_refusals_have_reasons(folder: Path, tmp_path: Path) -> None:
    found = {
        one.source.name: one
        for one in export_files(sorted(folder.iterdir()), tmp_path / "out", DeidentifyOptions(SALT))
    }
    copy = found["US1_UNCR.dcm"].copy
    assert copy is not None
    written = dcmread(copy)
    assert copy.parent.name == written.PatientID
    assert copy.stem == written.SOPInstanceUID
    assert written.PatientIdentityRemoved == "YES"
    assert "no B-mode area" in str(found["color-pl.dcm"].error)
    assert "broken.dcm" in str(found["broken.dcm"].error)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [copy]


def test_limits_and_a_closed_folder(folder: Path, tmp_path: Path) -> None:
    small = Limits(max_pixels=100)
    (one,) = export_files([folder / "US1_UNCR.dcm"], tmp_path / "out", DeidentifyOptions(SALT), small)
    assert one.copy is None
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ClinicError, match="cannot be written"):
        list(export_files([folder / "US1_UNCR.dcm"], tmp_path / "taken", DeidentifyOptions(SALT)))


def test_the_secret_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secret"
    first = open_salt(path)
    assert len(first) == 32
    assert open_salt(path) == first
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"short")
    with pytest.raises(UsageError, match="5 bytes"):
        open_salt(path)


def test_the_verb(folder: Path, tmp_path: Path) -> None:
    arguments = ["deidentify", str(folder), "--out", str(tmp_path / "out"), "--secret", str(tmp_path / "key"), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, "something was refused"
    files = {Path(one["source"]).name: one for one in json.loads(result.stdout)["files"]}
    assert Path(files["US1_UNCR.dcm"]["copy"]).is_file()
    assert files["color-pl.dcm"]["copy"] is None
    whole = CliRunner().invoke(
        app, [*arguments[:1], str(folder / "color-pl.dcm"), *arguments[2:-1], "--area", "0,0,120,256"]
    )
    assert whole.exit_code == 0
    assert "1 of 1 images copied" in whole.stdout
    wrong = CliRunner().invoke(app, [*arguments[:-1], "--area", "1,2,3"])
    assert isinstance(wrong.exception, UsageError)


def run(*arguments: str | Path) -> dict[str, dict[str, str | None]]:
    """What the verb says of each file, by name."""
    done = CliRunner().invoke(app, ["deidentify", *map(str, arguments), "--json"])
    return {Path(one["source"]).name: one for one in json.loads(done.stdout)["files"]}


def test_copies_within_the_source_are_not_originals_of_a_second_run(folder: Path, tmp_path: Path) -> None:
    """They had been copied again, under a second pseudonym: one patient was two."""
    for _ in range(2):
        run(folder, "--out", folder / "shared", "--secret", tmp_path / "key")
    assert len(list((folder / "shared").rglob("*.dcm"))) == 1


def test_hidden_dicom_files_are_named(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "US1_UNCR.dcm", folder / ".hidden.dcm")
    (folder / ".more" / "deep").mkdir(parents=True)
    shutil.copy(folder / "US1_UNCR.dcm", folder / ".more" / "deep" / "one.dcm")
    (folder / ".notes").write_text("no image")
    found = run(folder, "--out", tmp_path / "out", "--secret", tmp_path / "key")
    assert "hidden file" in str(found[".hidden.dcm"]["error"])
    assert "hidden folder" in str(found["one.dcm"]["error"])
    assert ".notes" not in found


def test_a_file_without_a_preamble_is_cleaned_too(folder: Path, tmp_path: Path) -> None:
    bare = folder / "bare.dcm"
    bare.write_bytes((folder / "US1_UNCR.dcm").read_bytes()[132:])
    (one,) = export_files([bare], tmp_path / "out", DeidentifyOptions(SALT))
    assert one.error is None
    (folder / "text.dcm").write_text("no DICOM at all")
    (other,) = export_files([folder / "text.dcm"], tmp_path / "out", DeidentifyOptions(SALT))
    assert "text.dcm" in str(other.error)


def test_damaged_headers_are_refused_with_a_reason_or_cleaned(tmp_path: Path) -> None:
    whole = Path(str(get_testdata_file("ExplVR_BigEnd.dcm"))).read_bytes()
    generator = np.random.default_rng(5)
    options = DeidentifyOptions(SALT, area=Area(2, 2, 30, 30), shift_dates=True)
    outcomes = set()
    for _ in range(150):
        data = bytearray(whole)
        for position in generator.integers(132, 2000, size=generator.integers(1, 12)):
            data[position] ^= 1 << int(generator.integers(8))
        (tmp_path / "damaged.dcm").write_bytes(data)
        (one,) = export_files([tmp_path / "damaged.dcm"], tmp_path / "out", options)
        assert (one.copy is None) == (one.error is not None)
        outcomes.add(one.copy is None)
    assert outcomes == {True, False}


def test_two_images_of_one_uid_are_not_one_copy(folder: Path, tmp_path: Path) -> None:
    """The second had replaced the first, and both were counted."""
    dataset = dcmread(folder / "US1_UNCR.dcm")
    dataset.PixelData = bytes(reversed(dataset.PixelData))
    dataset.save_as(folder / "other.dcm")
    shutil.copy(folder / "US1_UNCR.dcm", folder / "same.dcm")
    names = ["US1_UNCR.dcm", "other.dcm", "same.dcm"]
    found = list(export_files([folder / name for name in names], tmp_path / "out", DeidentifyOptions(SALT)))
    assert [one.copy is None for one in found] == [False, True, False]
    assert "has the SOP Instance UID of" in str(found[1].error)
