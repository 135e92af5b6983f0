"""A draft that several windows, a slow line or a failing clinic get at: nothing is lost, nothing else is signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page: Any, clinic: Any) -> Iterator[Any]:
    shown = open_page(f"/studies/{clinic.study}", refusals=True)
    yield shown
    shown.goto(f"{clinic.url}/studies/{clinic.study}")
    if shown.locator("#discard").is_visible():
        shown.once("dialog", lambda dialog: dialog.accept())
        shown.get_by_role("button", name="Discard draft").click()
        shown.locator("#discard").wait_for(state="hidden")


def intercept(page: Any, body: str) -> None:
    """Replace fetch of the physician's reading, in the page: ``truly`` is the real one, ``sent`` what was asked."""
    page.evaluate(
        """(body) => {
            const truly = window.fetch;
            window.sent = [];
            const answer = new Function("truly", "to", "given", "number", `return (async () => { ${body} })()`);
            window.fetch = async (to, given) => {
                if (!String(to).includes("/opinion")) return truly(to, given);
                window.sent.push({ to, method: given.method, json: given.body ? JSON.parse(given.body) : null });
                return answer(truly, to, given, window.sent.length);
            };
        }""",
        body,
    )


SLOW = """
    const headers = { "Content-Type": "application/json" };
    if (given.method === "POST") return new Response('{"detail": "not here"}', { status: 422, headers });
    await new Promise((done) => setTimeout(done, 1500));
    return truly(to, given);
"""


def test_what_the_dialog_names_is_what_is_signed(page: Any) -> None:
    """The diagnosis was read before a save had ended, and the dialog worded after it; two clicks signed twice."""
    intercept(page, SLOW)
    page.get_by_label("Diagnosis").select_option("PM")
    page.locator("#draft-state", has_text="Saving").wait_for()
    page.evaluate("form => { form.requestSubmit(); form.requestSubmit(); }", page.locator("#opinion").element_handle())
    assert page.evaluate("document.getElementById('opinion').inert")
    page.locator("#sign-dialog").get_by_role("button", name="Sign").wait_for()
    assert "PM" in page.locator("#sign-summary").inner_text()
    page.locator("#sign-dialog").get_by_role("button", name="Sign").click()
    page.locator("#opinion-error", has_text="not here").wait_for()
    signed = [one for one in page.evaluate("window.sent") if one["method"] == "POST"]
    assert [one["json"]["diagnosis"] for one in signed] == ["PM"]
    assert not page.evaluate("document.getElementById('opinion').inert")


def test_another_window_does_not_replace_a_newer_draft(page: Any, open_page: Any, clinic: Any) -> None:
    other = open_page(f"/studies/{clinic.study}")
    other.get_by_label("Notes").fill("A long note.")
    other.locator("#draft-state", has_text="Draft saved").wait_for()
    intercept(page, "return truly(to, given);")
    refused = []
    page.on("response", lambda answer: refused.append(answer.status) if answer.status == 409 else None)
    page.get_by_label("Diagnosis").select_option("DM")
    page.locator("#opinion-error", has_text="another window").wait_for()
    assert refused == [409]
    other.reload()
    assert other.get_by_label("Notes").input_value() == "A long note."


def write_through(page: Any, fault: str, notes: str) -> None:
    """Write while the first save goes wrong as ``fault`` says; wait until a later one is kept."""
    intercept(page, fault)
    page.get_by_label("Notes").fill(notes)
    page.locator("#draft-state", has_text="Not saved").wait_for()
    page.locator("#draft-state", has_text="Draft saved").wait_for(timeout=8000)


def test_a_save_that_failed_is_made_again(page: Any) -> None:
    fault = "return number === 1 ? new Response('{}', { status: 503 }) : truly(to, given);"
    write_through(page, fault, "Written while the clinic was started.")
    page.reload()
    assert page.get_by_label("Notes").input_value() == "Written while the clinic was started."


def test_a_save_whose_answer_was_lost_is_not_taken_for_another_window_s(page: Any) -> None:
    fault = "const said = await truly(to, given); if (number === 1) throw new TypeError('lost'); return said;"
    write_through(page, fault, "Kept, but nobody said so.")
    assert page.locator("#opinion-error").inner_text() == ""


def test_going_back_shows_the_draft_as_it_is_now(page: Any, open_page: Any, clinic: Any) -> None:
    page.get_by_label("Notes").fill("First.")
    page.locator("#draft-state", has_text="Draft saved").wait_for()
    page.goto(f"{clinic.url}/")
    other = open_page(f"/studies/{clinic.study}")
    other.get_by_label("Notes").fill("Second.")
    other.locator("#draft-state", has_text="Draft saved").wait_for()
    page.go_back()
    page.wait_for_load_state()
    assert page.get_by_label("Notes").input_value() == "Second."


def test_a_grade_whose_image_went_to_another_side_is_asked_about(page: Any) -> None:
    page.get_by_label("Heckmatt grade of RG").select_option("4")
    page.locator("#draft-state", has_text="Draft saved").wait_for()
    assert page.get_by_label("Heckmatt grade of RT").is_disabled()
    choice = page.get_by_label("Muscle and side of P001_RG_1.png")
    choice.focus()
    choice.select_option("RT")
    page.locator("#site-RT img").wait_for()
    page.locator("#messages", has_text="There is no image of RG any more").wait_for()
    assert page.get_by_label("Heckmatt grade of RT").is_enabled()
    page.get_by_label("Diagnosis").select_option("PM")
    page.get_by_role("button", name="Sign", exact=True).click()
    intercept(page, "return truly(to, given);")
    page.locator("#sign-dialog").get_by_role("button", name="Sign").click()
    page.locator("#opinion-error", has_text="Heckmatt grade without an image: RG").wait_for()
    choice = page.get_by_label("Muscle and side of P001_RG_1.png")
    choice.focus()
    choice.select_option("RG")
    page.locator("#site-RG img").wait_for()
