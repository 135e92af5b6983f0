"""Names of files made from images: no two images share one, and every file system takes it."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myosono.imaging import bare_name, safe_name, unique_names
from myosono.imaging.file_names import MAX_BYTES

UID = "1.2.826.0.1.3680043.8.498.100"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("study/P001_RD_1.png", "P001_RD_1"),
        ("a.DCM", "a"),
        ("Dr. Who.JPEG", "Dr. Who"),
        (UID, UID),
        (f"{UID}.dcm", UID),
        ("scan.2024.03", "scan.2024.03"),
    ],
)
def test_only_the_suffix_of_an_image_is_cut(path, expected):
    assert bare_name(PurePath(path)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("study_P001_RD_1_0", "study_P001_RD_1_0.png"),
        ("benign (1)_0", "benign-1-_0.png"),
        ("左三角肌_0", "左三角肌_0.png"),
        ("Müller_0", "Müller_0.png"),
        ("Mu\u0308ller_0", "Müller_0.png"),
        ("กล้ามเนื้อ", "กล้ามเนื้อ.png"),
        ("..hidden", "hidden.png"),
        ("a/b:c*d", "a-b-c-d.png"),
        ("NUL.1", "_NUL.1.png"),
        ("com1", "_com1.png"),
        ("a\udcffb", "a-b.png"),
        ("", "image.png"),
    ],
)
def test_names_keep_what_every_system_takes(text, expected):
    assert safe_name(text, ".png") == expected


def test_the_users_own_name_is_kept_but_for_what_some_system_refuses():
    assert safe_name("benign (1), left", "_region.png", verbatim=True) == "benign (1), left_region.png"
    assert safe_name('a:b"c', "_region.png", verbatim=True) == "a-b-c_region.png"


def test_long_names_stay_apart():
    long = ["肌" * 90 + "_1", "骨" + "肌" * 90 + "_1"]
    names = [safe_name(text, ".png") for text in long]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= MAX_BYTES for name in names)
    assert names == [safe_name(text, ".png") for text in long]


@given(
    st.lists(st.sampled_from(["a.png", "A.png", "a-2.png", "b.png", "é.png", "e\u0301.png", "é-2.png"]), max_size=12)
)
def test_names_are_unique_where_case_and_composition_do_not_count(names):
    found = unique_names(names)
    assert len({name.casefold().replace("e\u0301", "é") for name in found}) == len(names)
    assert all(new == old for new, old, first in zip(found, names, _first(names), strict=True) if first)


def _first(names):
    folded = [name.casefold().replace("e\u0301", "é") for name in names]
    return [name not in folded[:place] for place, name in enumerate(folded)]
