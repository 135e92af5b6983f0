"""Live pages in a browser: opened anew after an answer that ends the browser's own trying; answers that overtake."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from myosono.clinic import events
from myosono.clinic.database.engine import Database

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.slow

OpenPage = Callable[[str], "playwright.Page"]


@pytest.fixture
def open_quiet(chromium: playwright.Browser, clinic) -> Iterator[OpenPage]:
    """``open_quiet("/", status)``: a page whose first request for news is answered by that status."""
    contexts = []

    def open_one(path: str, status: int) -> playwright.Page:
        context = chromium.new_context(locale="en", base_url=clinic.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.route("**/events*", lambda route: route.fulfill(status=status, body="no"), times=1)
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("status", [502, 401])
@pytest.mark.parametrize("where", ["worklist", "study"])
def test_a_page_lives_again_after_an_answer_that_is_no_stream(open_quiet, clinic, where, status):
    page = open_quiet("/" if where == "worklist" else f"/studies/{clinic.study}", status)
    page.locator("#live.off", has_text="Not connected").wait_for()
    page.locator("#live.on", has_text="Live").wait_for()
    address = "**/worklist/table*" if where == "worklist" else "**/findings"
    with page.expect_response(address):
        publish(clinic)


def test_a_slow_refresh_does_not_overwrite_a_filtered_table(open_page, clinic):
    page = open_page("/")
    page.locator("#live.on").wait_for()
    held = []
    page.route("**/worklist/table", lambda route: held.append(route))
    with page.expect_request("**/worklist/table"):
        publish(clinic)
    page.locator("#text").fill("nobody at all")
    page.get_by_text("No study fits").wait_for()
    assert held
    with page.expect_response("**/worklist/table"):
        for route in held:
            route.continue_()
    page.wait_for_timeout(500)
    assert page.get_by_text("No study fits").is_visible()
    assert "text=nobody" in page.url


def test_a_refresh_before_the_answer_to_a_filter_keeps_the_filter(open_page, clinic):
    page = open_page("/")
    page.locator("#live.on").wait_for()
    held = []
    page.route("**/worklist/table?text=nobody*", lambda route: held.append(route), times=1)
    with page.expect_request("**/worklist/table?text=nobody*"):
        page.locator("#text").fill("nobody at all")
    publish(clinic)
    page.get_by_text("No study fits").wait_for()
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    assert page.get_by_text("No study fits").is_visible()


def publish(clinic) -> None:
    """News of the study, from another process."""
    database = Database(clinic.settings)
    with database.session() as session:
        events.publish(session, "study", clinic.study)
    database.close()
