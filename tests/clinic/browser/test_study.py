"""The study page in a browser: body map, site correction, the physician's reading."""

from __future__ import annotations

import pytest

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
