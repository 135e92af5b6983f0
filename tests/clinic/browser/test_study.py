"""The study page in a browser: body map, site correction, the physician's reading."""

from __future__ import annotations

import contextlib

import pytest

Error = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed").Error
pytestmark = pytest.mark.slow


def test_the_body_map_shows_chance_or_z_score(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    chance = page.locator('.body-map a[data-site="RD"] .value.by-chance')
    assert chance.is_visible()
    page.get_by_role("button", name="z-score").click()
    assert not chance.is_visible()
    page.locator('.body-map a[data-site="RD"] .shape').click()
    assert page.url.endswith("#site-RD")


def test_an_unread_image_states_its_reason(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    row = page.locator("table.images tr", has_text="P001_LG_1.png")
    assert "not readable" in row.inner_text()
    assert len(row.locator(".remarks").inner_text()) > 10


def test_a_corrected_site_moves_the_image(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    choice = page.get_by_label("Muscle and side of P001_RG_1.png")
    choice.focus()
    assert choice.locator("option").count() == 15
    assert choice.input_value() == "RG"
    choice.select_option("RT")
    page.locator("#site-RT img").wait_for()
    choice.focus()
    choice.select_option("RG")
    page.locator("#site-RG img").wait_for()


def test_draft_sign_and_amend(open_page, clinic):
    page = open_page(f"/studies/{clinic.cine}")
    page.get_by_label("Diagnosis").select_option("IBM")
    page.get_by_label("Notes").fill("Seen twice.")
    page.locator("#draft-state", has_text="Draft saved").wait_for()
    page.reload()
    assert page.get_by_label("Notes").input_value() == "Seen twice."
    page.get_by_role("button", name="Sign", exact=True).click()
    page.locator("#sign-dialog").get_by_role("button", name="Sign").click()
    page.locator("article.signed").wait_for()
    assert not page.locator("#opinion").is_visible()
    page.get_by_role("button", name="Amend my reading").click()
    page.get_by_label("Diagnosis").select_option("PM")
    page.get_by_label("Reason of the amendment", exact=True).fill("Biopsy")
    page.get_by_role("button", name="Sign the amendment").click()
    page.locator("#sign-dialog").get_by_role("button", name="Sign").click()
    page.locator("article.signed.replaced").wait_for()
    shown = page.locator("article.signed")
    assert shown.count() == 2
    assert "Biopsy" in shown.nth(1).inner_text()


def test_agreeing_chooses_the_model_s_diagnosis_only_where_it_gave_one(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    label = page.locator("#opinion").get_attribute("data-label")
    agree = page.get_by_label("I agree")
    if label:
        agree.check()
        assert page.get_by_label("Diagnosis").input_value() == label
    else:
        assert agree.is_disabled()


def test_the_report_opens(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    page.locator("summary", has_text="Report").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="To print (HTML)").click()
    opened.value.wait_for_load_state()
    assert "P001" in opened.value.inner_text("body")


def warned_of(page, leave) -> bool:
    """Whether the browser asks before the page is left; it is told to stay."""
    asked = []

    def stay(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    with contextlib.suppress(Error):  # what was called off
        leave()
    page.remove_listener("dialog", stay)
    return asked == ["beforeunload"]


def answer_saves(page, status: int, detail: str) -> None:
    """In the page itself: an answer of the network would stand in the browser's console as a fault."""
    page.evaluate(
        """([status, detail]) => {
            const truly = window.fetch;
            const headers = { "Content-Type": "application/json" };
            const refused = () => new Response(JSON.stringify({ detail }), { status, headers });
            window.fetch = async (to, given) => to.endsWith("/opinion") ? refused() : truly(to, given);
        }""",
        [status, detail],
    )


def to_the_worklist(page):
    page.get_by_role("link", name="Worklist", exact=True).first.click()
    page.wait_for_url("**/", timeout=3000)


def test_a_draft_that_could_not_be_saved_is_not_left_without_a_question(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    answer_saves(page, 409, "another tab signed it")
    page.get_by_label("Notes").click()
    page.keyboard.type("Seen.")
    page.locator("#draft-state", has_text="Not saved").wait_for()
    page.locator("#opinion-error", has_text="another tab signed it").wait_for()
    assert warned_of(page, lambda: to_the_worklist(page))


def test_whoever_was_signed_out_keeps_the_text_on_the_page(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    answer_saves(page, 401, "log in first")
    page.get_by_label("Notes").click()
    page.keyboard.type("A long thought.")
    page.locator("#opinion-error", has_text="You are signed out").wait_for()
    assert page.get_by_label("Notes").input_value() == "A long thought."


def test_what_was_typed_before_a_signature_was_called_off_is_saved(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    page.get_by_label("Diagnosis").select_option("IBM")
    page.get_by_label("Notes").fill("Typed at the last moment.")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.locator("#sign-dialog").get_by_role("button", name="Cancel").click()
    page.locator("#draft-state", has_text="Draft saved").wait_for()
    page.reload()
    assert page.get_by_label("Notes").input_value() == "Typed at the last moment."


def test_a_discarded_draft_is_gone_from_the_page(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}")
    page.get_by_label("Notes").fill("Not this.")
    page.locator("#draft-state", has_text="Draft saved").wait_for()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Discard draft").click()
    page.locator("#discard").wait_for(state="hidden")
    assert page.get_by_label("Notes").input_value() == ""
    assert page.locator("#opinion-error").inner_text() == ""


def test_an_amendment_under_way_is_not_left_without_a_question(open_page, clinic):
    page = open_page(f"/studies/{clinic.cine}")
    if page.locator("#amend-start").count() == 0:
        page.get_by_label("Diagnosis").select_option("IBM")
        page.get_by_role("button", name="Sign", exact=True).click()
        page.locator("#sign-dialog").get_by_role("button", name="Sign").click()
        page.locator("article.signed").wait_for()
    page.get_by_role("button", name="Amend my reading").click()
    page.get_by_label("Reason of the amendment", exact=True).click()
    page.keyboard.type("Biopsy")
    assert warned_of(page, lambda: to_the_worklist(page))
