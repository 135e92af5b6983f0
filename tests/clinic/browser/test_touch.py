"""Fingers on a tablet: two of them zoom, one moves the image, measures, and opens what a mouse opens."""

from __future__ import annotations

import math

import pytest

from .cine import LEFT_CM
from .test_viewer import KEEP_TEXTS, millimetres, place, ready

pytestmark = pytest.mark.slow

TABLET = (1024, 768)


class Fingers:
    """Touches as the browser's own input pipeline delivers them."""

    def __init__(self, page):
        self.page, self.session = page, page.context.new_cdp_session(page)

    def _send(self, kind: str, points: list[tuple[float, float]]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def glide(self, *ways: tuple[tuple[float, float], tuple[float, float]], steps: int = 5) -> None:
        """Each finger from its first place to its second, all at once."""
        self._send("touchStart", [start for start, _ in ways])
        for step in range(1, steps + 1):
            part = step / steps
            self._send("touchMove", [(a + (c - a) * part, b + (d - b) * part) for (a, b), (c, d) in ways])
        self._send("touchEnd", [])
        self.page.wait_for_timeout(150)


@pytest.fixture
def tablet(open_page, clinic):
    page = open_page(f"/studies/{clinic.cine}/viewer", size=TABLET, touch=True)
    ready(page)
    page.evaluate(KEEP_TEXTS)
    return page


def length_of(page, start: tuple[float, float], end: tuple[float, float]) -> float:
    """Millimetres of a line that one finger draws between two places of the page."""
    page.evaluate("window.drawn = []")
    Fingers(page).glide((start, end))
    return millimetres(page)


def test_a_finger_measures_and_two_fingers_zoom(tablet):
    tablet.get_by_role("button", name="Measure").first.tap()
    start, end = place(tablet, 20, 40), place(tablet, 60, 70)
    fitted = length_of(tablet, start, end)
    assert fitted == pytest.approx(10 * math.hypot(40 * LEFT_CM[0], 30 * LEFT_CM[1]), rel=0.03)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    apart = [((middle[0] + sign * 20, middle[1]), (middle[0] + sign * 60, middle[1])) for sign in (-1, 1)]
    Fingers(tablet).glide(*apart)
    # Three times as large on the screen: the same way of the finger is a third of the millimetres.
    assert length_of(tablet, start, end) == pytest.approx(fitted / 3, rel=0.1)


def test_a_finger_moves_the_image_once_it_is_zoomed(tablet):
    canvas = tablet.locator(".pane canvas").first
    box = canvas.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    Fingers(tablet).glide(*[((middle[0] + s * 20, middle[1]), (middle[0] + s * 60, middle[1])) for s in (-1, 1)])
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    Fingers(tablet).glide((middle, (middle[0] + 80, middle[1] + 30)))
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    assert tablet.evaluate("[scrollX, scrollY]") == [0, 0]  # the page itself stays


def test_a_study_opens_and_is_seen_without_scrolling_sideways(open_page, clinic):
    for size in (TABLET, (768, 1024)):
        page = open_page("/", size=size, touch=True)
        page.locator(f'a[href*="/studies/{clinic.study}"]').first.tap()
        page.wait_for_url(f"**/studies/{clinic.study}*")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
