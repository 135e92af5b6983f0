"""Protocol completeness."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from myosono.quantification import MYOSITIS_PROTOCOL, completeness


def test_eleven_of_fourteen() -> None:
    found = completeness(MYOSITIS_PROTOCOL[3:])
    assert found.text == "11 of 14 muscles; missing: left deltoid, left biceps brachii, left flexor carpi radialis"
    assert found.to_dict()["missing"][0] == {"muscle": "D", "side": "L"}


def test_complete_and_unplaced() -> None:
    assert completeness(MYOSITIS_PROTOCOL).text == "14 of 14 muscles"
    assert completeness([(None, None), ("D", None)]).text.endswith("2 images without muscle or side")


@given(st.lists(st.sampled_from([*MYOSITIS_PROTOCOL, ("VL", "L"), (None, "R")])))
def test_found_and_missing_make_the_protocol(sites) -> None:
    found = completeness(sites)
    assert set(found.found) | set(found.missing) == set(MYOSITIS_PROTOCOL)
    assert not set(found.found) & set(found.missing)
    assert set(found.found) == set(sites) & set(MYOSITIS_PROTOCOL)
