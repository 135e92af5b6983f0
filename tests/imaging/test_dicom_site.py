"""The site of a DICOM image: what is coded, what was typed, and what must not be guessed."""

from __future__ import annotations

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from myosono.imaging import read_frame
from myosono.imaging.dicom_site import read_site


def header(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def coded(meaning: str, *modifiers: str) -> Dataset:
    region = header(CodeValue="1", CodingSchemeDesignator="SCT", CodeMeaning=meaning)
    region.AnatomicRegionModifierSequence = [header(CodeMeaning=modifier) for modifier in modifiers]
    return region


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("R Deltoid", ("D", "R")),
        ("DELTOIDEUS LEFT", ("D", "L")),
        ("Musculus biceps brachii", ("B", None)),
        ("biceps femoris right", (None, None)),
        ("LT FCR trans", ("FCR", "L")),
        ("right_flexor_digitorum_profundus", ("FDP", "R")),
        ("Rectus femoris, L", ("R", "L")),
        ("rectus abdominis", (None, None)),
        ("RT tib. ant.", ("T", "R")),
        ("anterior tibialis (left)", ("T", "L")),
        ("GASTROC MED RT", ("G", "R")),
        ("RT", (None, None)),
        ("MSK general", (None, None)),
        ("deltoid and biceps R", (None, None)),
        ("deltoid left and right", ("D", None)),
    ],
)
def test_what_was_typed(text: str, site: tuple[str | None, str | None]) -> None:
    assert read_site(header(SeriesDescription=text)) == site


def test_laterality_is_believed_before_words() -> None:
    assert read_site(header(ImageLaterality="L", ImageComments="deltoid right")) == ("D", "L")
    assert read_site(header(Laterality="R")) == (None, "R")
    assert read_site(header(ImageLaterality="B")) == (None, None)


def test_the_coded_region_comes_before_what_was_typed() -> None:
    dataset = header(AnatomicRegionSequence=[coded("Gastrocnemius muscle", "Left")], SeriesDescription="Deltoid R")
    assert read_site(dataset) == ("G", "L")


def test_a_nearer_text_comes_first() -> None:
    assert read_site(header(ImageComments="FDP", SeriesDescription="Biceps R")) == ("FDP", None)


def test_a_frame_carries_the_site_and_a_contradicting_name_is_told(tmp_path) -> None:
    path = get_testdata_file("US1_UNCR.dcm", download=False)
    if path is None:
        pytest.skip("pydicom's test file US1_UNCR.dcm is not installed")
    dataset = dcmread(path)
    dataset.SeriesDescription = "Left tibialis anterior"
    dataset.save_as(tmp_path / "P001_RD_1.dcm")
    frame = read_frame(tmp_path / "P001_RD_1.dcm")
    assert (frame.muscle, frame.side) == ("T", "L")
    assert "muscle 'T' in the header, 'D' in the file name: the header is taken" in frame.warnings
