from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from PIL import Image

from myosono.errors import ImageError, MyosonoError, UsageError
from myosono.imaging import facts_from_name, list_sources


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("P1_RD_10.png", "P1_RD_2.png", "b/P2_LB_1.PNG", "b/renamed.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(path, format="PNG")
    (tmp_path / "notes.csv").write_text("a,b\n")
    (tmp_path / ".DS_Store").write_text("x")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "c.png").write_text("x")
    (tmp_path / "broken.png").write_text("this is text")
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "zero.txt").touch()
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_folder(study):
    sources = list_sources([study])
    # What is named like an image stays in the list, so that reading it fails aloud.
    assert names(sources) == ["P2_LB_1.PNG", "renamed.txt", "broken.png", "P1_RD_2.png", "P1_RD_10.png", "zero.jpg"]
    assert {path.name: reason for path, reason in sources.skipped} == {
        ".DS_Store": "hidden file",
        ".cache": "hidden folder",
        "notes.csv": "not an image",
        "zero.txt": "empty",
    }


def test_every_file_is_listed_or_skipped(study):
    sources = list_sources(study)
    seen = {*sources, *(path for path, _ in sources.skipped)}
    for file in study.rglob("*"):
        assert file.is_dir() or file in seen or study / ".cache" in file.parents


def test_globs_and_order(study):
    assert names(list_sources([str(study / "*.png")])) == ["broken.png", "P1_RD_2.png", "P1_RD_10.png"]
    assert names(list_sources([str(study / "**" / "P*")])) == ["P2_LB_1.PNG", "P1_RD_2.png", "P1_RD_10.png"]
    given = [study / "P1_RD_10.png", study / "P1_RD_2.png", study / "P1_RD_10.png"]
    assert list_sources(given) == given[:2]


def test_a_named_file_is_taken_whatever_it_is(study):
    assert list_sources(study / "notes.csv") == [study / "notes.csv"]


def test_brackets_in_an_existing_name_are_no_pattern(tmp_path):
    path = tmp_path / "scan[1].png"
    Image.new("L", (8, 8)).save(path)
    assert list_sources([path]) == [path]


def test_nothing_found(tmp_path):
    with pytest.raises(UsageError, match="no image, folder or pattern"):
        list_sources([])
    with pytest.raises(ImageError, match="does not exist"):
        list_sources([tmp_path / "absent"])
    with pytest.raises(ImageError, match="matches no file"):
        list_sources([str(tmp_path / "*.png")])
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(MyosonoError, match=r"no image found in .* \(1 other files\)"):
        list_sources([tmp_path])


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("P001_RD_1.png", ("P001", "D", "R")),
        ("site_a_12_LFDP_3.dcm", ("site_a_12", "FDP", "L")),
        ("P001_RD.png", (None, None, None)),
        ("P001_XX_1.png", (None, None, None)),
        ("_RD_1.png", (None, None, None)),
        ("jumping_rb_left.png", (None, None, None)),
    ],
)
def test_names(name, facts):
    found = facts_from_name(PurePath(name))
    assert (found.patient_id, found.muscle, found.side) == facts
