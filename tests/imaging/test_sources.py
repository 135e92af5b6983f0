from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from PIL import Image

from myosono.errors import ImageError, MyosonoError, UsageError
from myosono.imaging import facts_from_name, list_sources, read_frame, save_result


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
    seen = {*sources, *(path for path, _ in [*sources.skipped, *sources.failed])}
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


def test_a_file_counts_once_however_it_is_named(tmp_path, monkeypatch):
    """The same two images, given as a relative and as an absolute path, had been four."""
    (tmp_path / "study").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "study" / "a.png")
    (tmp_path / "study" / "b.png").symlink_to(tmp_path / "study" / "a.png")
    monkeypatch.chdir(tmp_path)
    sources = list_sources(["study", tmp_path / "study", "study/../study/a.png"])
    assert sources == [Path("study/a.png")]


def test_what_cannot_be_opened_is_a_failure_and_linked_folders_are_entered(tmp_path):
    """Unreadable files and linked folders had vanished from a study without a word."""
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    study.mkdir()
    elsewhere.mkdir()
    Image.new("L", (8, 8)).save(study / "a.png")
    Image.new("L", (8, 8)).save(elsewhere / "b.png")
    (study / "linked").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(study)
    (study / "up").symlink_to(tmp_path)
    (study / "gone.png").symlink_to(tmp_path / "nowhere.png")
    sources = list_sources([study])
    assert sources == [study / "a.png", study / "linked" / "b.png"]
    assert sources.failed == [(study / "gone.png", "a link to a file that is not there")]
    assert sources.skipped == [(study / "up", "a link to a folder above")]


def test_our_own_pictures_are_no_images_of_a_patient(tmp_path):
    """The second `read --out` within a study had read the heat maps of the first."""
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    save_result(Image.new("RGB", (8, 8)), tmp_path / "heat.png")
    sources = list_sources([tmp_path])
    assert sources == [tmp_path / "a.png"]
    assert sources.skipped == [(tmp_path / "heat.png", "a result that myosono made")]
    with pytest.raises(ImageError, match="a result that myosono made"):
        read_frame(tmp_path / "heat.png")
