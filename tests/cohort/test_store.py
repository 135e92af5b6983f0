"""The cohort folder: what is refused, and that what is written comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from myosono.cohort import Cohort, CohortInfo, new_cohort_folder, validate_table, write_cohort
from myosono.cohort.folder import check_replaceable, require_recorded
from myosono.errors import CohortError
from myosono.hashing import sha256_file


@pytest.fixture
def cohort(tmp_path, make_table, make_speckle):
    folder = tmp_path / "cohort"
    (folder / "images").mkdir(parents=True)
    table = make_table(patients_per_class=1, images_per_patient=2)
    for row in table.index:
        file = f"images/{row}.png"
        Image.fromarray(make_speckle(row)).save(folder / file)
        table.loc[row, "file"] = file
        table.loc[row, "sha256"] = sha256_file(folder / file)
    table[["height", "width"]] = 80, 60
    return write_cohort(folder, table, CohortInfo("test", notes=("a note",)))


def test_round_trip(cohort, make_speckle):
    again = Cohort.open(cohort.folder)
    assert again.table.equals(cohort.table)
    assert again.info == cohort.info
    assert again.info.classes == ("Normal", "IBM", "PM", "DM")
    assert (again.info.images, again.info.patients) == (8, 4)
    np.testing.assert_array_equal(again.image("IBM0-1"), make_speckle(3))


def test_content_hash_knows_labels_not_row_order(cohort, tmp_path, make_table):
    table = make_table()
    first = write_cohort(tmp_path / "a", table, CohortInfo("a")).info.content_hash
    assert write_cohort(tmp_path / "b", table[::-1], CohortInfo("b")).info.content_hash == first
    relabelled = table.assign(label=table["label"].replace("PM", "DM"))
    assert write_cohort(tmp_path / "c", relabelled, CohortInfo("c")).info.content_hash != first


def test_metadata_only_cohort_has_no_pixels(tmp_path, make_table):
    cohort = write_cohort(tmp_path / "m", make_table(), CohortInfo("m"))
    with pytest.raises(CohortError, match="metadata only"):
        cohort.image("IBM0-0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="label"), "lacks the column 'label'"),
        (lambda t: t.assign(colour="red"), "unknown column 'colour'"),
        (lambda t: t.assign(image_id="same"), "image_id 'same' occurs more than once"),
        (lambda t: t.assign(side="X"), "column 'side' holds an impossible value: 'X'"),
        (lambda t: t.assign(patient_id=""), "column 'patient_id'"),
        (lambda t: t.assign(file="../../etc/passwd"), "column 'file'"),
        (lambda t: t.assign(width="wide"), "'width' holds a value that is not a number"),
        (lambda t: t.assign(age=-1), "column 'age'"),
        (lambda t: t[:0], "no rows"),
    ],
)
def test_tables_that_break_the_schema(make_table, change, message):
    with pytest.raises(CohortError, match=message):
        validate_table(change(make_table()))


def test_two_labels_for_one_patient(make_table):
    table = make_table()
    table.loc[0, "label"] = "DM"
    with pytest.raises(CohortError, match="patient 'Normal0' has 2 labels: DM, Normal"):
        validate_table(table)
    validate_table(table, allow_label_conflicts=True)
    validate_table(table, allow_label_conflicts=["Normal0"])


def test_accepted_conflicts_are_remembered(tmp_path, make_table):
    table = make_table()
    table.loc[0, "label"] = "DM"
    write_cohort(tmp_path / "c", table, CohortInfo("c"), allow_label_conflicts=True)
    assert Cohort.open(tmp_path / "c").info.label_conflicts == ("Normal0",)


def test_missing_image_file_is_named(cohort, make_table):
    cohort.path_of("PM0-0").unlink()
    with pytest.raises(CohortError, match=r"images/4\.png: the image file is missing"):
        Cohort.open(cohort.folder).image("PM0-0")
    with pytest.raises(CohortError, match="the image file is missing"):
        write_cohort(cohort.folder, cohort.table, cohort.info)


def test_damaged_image_and_unknown_id(cohort):
    path = cohort.path_of("PM0-0")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CohortError, match="cannot be decoded"):
        cohort.image("PM0-0")
    with pytest.raises(CohortError, match="no image 'nobody'"):
        cohort.image("nobody")


def test_foreign_folders_are_left_alone(tmp_path, make_table, cohort):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "thesis.docx").write_text("mine")
    with pytest.raises(CohortError, match=r"'thesis\.docx', which is not part of a cohort"):
        check_replaceable(tmp_path / "letters", overwrite=True)
    with pytest.raises(CohortError, match="not part of a cohort"):
        write_cohort(tmp_path / "letters", make_table(), CohortInfo("x"))
    with pytest.raises(CohortError, match="--overwrite"):
        check_replaceable(cohort.folder, overwrite=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(CohortError, match="a file is in the way"):
        check_replaceable(tmp_path / "file", overwrite=True)


def test_images_that_are_no_cohort_are_nobodys_to_replace(tmp_path):
    (tmp_path / "study" / "images").mkdir(parents=True)
    with (
        pytest.raises(CohortError, match=r"'images' but no cohort\.json"),
        new_cohort_folder(tmp_path / "study", overwrite=True),
    ):
        pass
    assert (tmp_path / "study" / "images").is_dir()


def half_write(folder):
    with new_cohort_folder(folder, overwrite=True) as aside:
        (aside / "images" / "half.png").write_bytes(b"half")
        raise KeyboardInterrupt


def test_a_new_cohort_takes_the_place_of_the_old_only_when_it_is_whole(tmp_path, make_table, cohort):
    before = sorted(path.relative_to(cohort.folder) for path in cohort.folder.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        half_write(cohort.folder)
    assert sorted(path.relative_to(cohort.folder) for path in cohort.folder.rglob("*")) == before
    with new_cohort_folder(cohort.folder, overwrite=True) as aside:
        (aside / "images" / "new.png").write_bytes(b"new")
        write_cohort(aside, make_table(), CohortInfo("new"))
    assert Cohort.open(cohort.folder).info.name == "new"
    assert [path.name for path in (cohort.folder / "images").iterdir()] == ["new.png"]


def test_what_a_killed_import_left_is_no_obstacle(tmp_path, make_table):
    folder = tmp_path / "cohort"
    (folder / ".partial" / "images").mkdir(parents=True)
    (folder / ".partial" / "images" / "half.png").write_bytes(b"half")
    with new_cohort_folder(folder) as aside:
        write_cohort(aside, make_table(), CohortInfo("new"))
    assert sorted(path.name for path in folder.iterdir()) == ["cohort.json", "cohort.parquet", "images"]
    assert list((folder / "images").iterdir()) == []


@pytest.mark.parametrize("left", [".partial", ".partial-1-0a1b2c3d"])
def test_a_worker_of_a_killed_run_finds_no_folder_to_write_to(tmp_path, make_table, left):
    """It had gone on writing into the next run's folder: pixels of one run under the rows of another."""
    orphan = tmp_path / "cohort" / left / "images"
    orphan.mkdir(parents=True)
    with new_cohort_folder(tmp_path / "cohort") as aside:
        assert not orphan.exists()
        with pytest.raises(FileNotFoundError):
            (orphan / "PM0-0.png").write_bytes(b"of the killed run")
        write_cohort(aside, make_table(), CohortInfo("new"))
    assert list((tmp_path / "cohort" / "images").iterdir()) == []


def test_a_folder_that_only_looks_like_a_leftover_is_kept(tmp_path):
    (tmp_path / "cohort" / ".partial-notes").mkdir(parents=True)
    with pytest.raises(CohortError, match="not part of a cohort"), new_cohort_folder(tmp_path / "cohort"):
        pass
    assert (tmp_path / "cohort" / ".partial-notes").is_dir()


def test_no_two_runs_write_into_one_folder(tmp_path, make_table):
    names = set()
    for _ in range(2):
        with new_cohort_folder(tmp_path / "cohort", overwrite=True) as aside:
            names.add(aside.name)
            write_cohort(aside, make_table(), CohortInfo("new"))
    assert len(names) == 2


def test_files_other_than_those_recorded_are_found(cohort):
    require_recorded(cohort.folder, cohort.table)
    path = cohort.path_of("PM0-0")
    kept = path.read_bytes()
    path.write_bytes(b"of another run")
    with pytest.raises(CohortError, match="is not what was written"):
        require_recorded(cohort.folder, cohort.table)
    path.write_bytes(kept)
    path.with_name("stray.png").write_bytes(b"")
    with pytest.raises(CohortError, match=r"images/stray\.png is in no row"):
        require_recorded(cohort.folder, cohort.table)


def test_an_image_too_large_to_decode_is_an_error_of_its_file(cohort, monkeypatch):
    """Pillow's DecompressionBombError is no OSError: it had ended the audit with a traceback."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(CohortError, match="cannot be decoded: Image size"):
        cohort.image("PM0-0")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 2, "name": "x"}', '{"format": 1}'])
def test_damaged_cohort_json(cohort, content):
    (cohort.folder / "cohort.json").write_text(content)
    with pytest.raises(CohortError, match=r"cohort\.json"):
        Cohort.open(cohort.folder)


def test_damaged_or_edited_table(cohort, tmp_path):
    table = cohort.table.assign(label="IBM")
    table.to_parquet(cohort.folder / "cohort.parquet")
    with pytest.raises(CohortError, match="content hash"):
        Cohort.open(cohort.folder)
    (cohort.folder / "cohort.parquet").write_bytes(b"PAR1")
    with pytest.raises(CohortError, match="cannot be read"):
        Cohort.open(cohort.folder)
    with pytest.raises(CohortError, match="not a cohort folder"):
        Cohort.open(tmp_path)


def test_info_is_plain_json(cohort):
    data = json.loads((cohort.folder / "cohort.json").read_text())
    assert list(data)[:1] == ["name"]
    assert {
        "format",
        "source",
        "licence",
        "content_hash",
        "simulated",
        "classes",
        "created",
        "versions",
        "notes",
    } <= set(data)


def test_a_second_import_into_a_folder_waits_for_no_one_and_takes_nothing(tmp_path, make_table):
    """It had removed what the first was writing, and the first, failing, the cohort of the second."""
    folder = tmp_path / "cohort"
    with new_cohort_folder(folder) as aside:
        with pytest.raises(CohortError, match="another process is writing"), new_cohort_folder(folder, overwrite=True):
            pass
        write_cohort(aside, make_table(), CohortInfo("first"))
    assert Cohort.open(folder).info.name == "first"
    assert sorted(path.name for path in folder.iterdir()) == ["cohort.json", "cohort.parquet", "images"]
