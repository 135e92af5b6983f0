"""The worklist in a browser: keys, filters, uploads, live results."""

from __future__ import annotations

import pytest

from ..conftest import muscle_png

pytestmark = pytest.mark.slow


def test_keys_move_open_and_search(open_page, clinic):
    page = open_page("/")
    page.keyboard.press("j")
    assert page.locator("tr.current").count() == 1
    first = page.locator("tr.current").get_attribute("data-study")
    page.keyboard.press("j")
    assert page.locator("tr.current").get_attribute("data-study") != first
    page.keyboard.press("k")
    assert page.locator("tr.current").get_attribute("data-study") == first
    page.keyboard.press("/")
    page.keyboard.type("nobody at all")
    page.get_by_text("No study fits").wait_for()
    assert "text=nobody" in page.url
    page.get_by_role("link", name="Show all studies").click()
    page.locator("tr[data-study]").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")


def test_an_upload_appears_and_is_read_without_a_reload(open_page, clinic):
    page = open_page("/")
    page.locator("#live.on").wait_for()
    page.evaluate("window.notReloaded = true")
    files = [
        {"name": "P777_RD_1.png", "mimeType": "image/png", "buffer": muscle_png(11)},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not an image"},
    ]
    page.locator("#pick-files").set_input_files(files)
    page.locator(".refused li", has_text="notes.txt").wait_for()
    page.locator(".upload", has_text="1 images taken in").wait_for()
    row = page.locator("tr[data-study]", has_text="P777")
    row.wait_for()
    row.get_by_text("To read").wait_for()
    assert row.locator(".chance .number").inner_text().endswith("%")
    assert page.evaluate("window.notReloaded")


def test_dropping_files_anywhere_uploads_them(open_page, clinic):
    page = open_page("/")
    data = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "P778_LD_1.png", { type: "image/png" }));
            return transfer;
        }""",
        list(muscle_png(12)),
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": data})
    page.locator("#drop-zone").wait_for()
    page.dispatch_event("body", "drop", {"dataTransfer": data})
    page.locator("tr[data-study]", has_text="P778").wait_for()


def test_a_heading_sorts_without_a_reload(open_page, clinic):
    page = open_page("/")
    page.evaluate("window.notReloaded = true")
    page.get_by_role("link", name="Patient").click()
    page.locator('th[aria-sort="ascending"]', has_text="Patient").wait_for()
    assert page.evaluate("window.notReloaded")
    assert "order=patient" in page.url
