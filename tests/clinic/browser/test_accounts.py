"""First run, signing in, administration: in a browser, with accounts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from myosono.clinic.settings import ClinicSettings
from myosono.clinic.web.app import create_app

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

WORDS = "several unrelated words"
PAGES = ("/account", "/admin", "/admin/users", "/admin/audit", "/nothing-here")

pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A clinic with accounts where nobody has been yet."""
    app = create_app(ClinicSettings(data=tmp_path / "clinic"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    serving = threading.Thread(target=server.run)
    serving.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    serving.join()


@pytest.fixture
def page(chromium: playwright.Browser, address: str) -> Iterator[playwright.Page]:
    """A page at the worklist, which leads to the set-up; scripts that fail, fail the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, base_url=address, locale="en")
    opened, wrong = context.new_page(), []
    opened.set_default_timeout(20_000)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    opened.goto("/")
    yield opened
    context.close()
    assert not wrong, wrong


def set_up(page: playwright.Page) -> None:
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Full name").fill("Anna Arzt")
    page.get_by_label("Password", exact=True).fill(WORDS)
    page.get_by_label("The password again").fill(WORDS)
    page.get_by_role("button", name="Make the administrator").click()
    page.get_by_role("heading", name="Worklist").wait_for()


def serious(page: playwright.Page) -> list[tuple[str, str, str]]:
    found = axe.Axe().run(page).response["violations"]
    return [
        (page.url, one["id"], node["html"][:160])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


def test_from_the_first_run_to_a_second_user(page: playwright.Page) -> None:
    set_up(page)
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Users").click()
    page.get_by_label("User name").fill("ben")
    page.get_by_label("First password").fill(WORDS)
    page.get_by_role("button", name="Add the user").click()
    page.get_by_text("The user was added.").wait_for()
    page.get_by_role("button", name="Change ben").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    page.get_by_text("disabled", exact=True).wait_for()
    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("Action").select_option("user-disabled")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("1 lines, page 1 of 1").wait_for()
    page.get_by_role("button", name="Check the log").click()
    page.get_by_role("heading", name="The log is whole").wait_for()
    page.locator(".site-tools summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.goto("/admin")
    assert page.url.endswith("/login?next=/admin")


def test_the_light_changes_at_once_and_stays(page: playwright.Page) -> None:
    set_up(page)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="Dark reading mode").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != before
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="中文").click()
    page.get_by_role("heading", name="工作列表").wait_for()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_revoking_a_token_is_asked_about(page: playwright.Page) -> None:
    set_up(page)
    page.goto("/account")
    page.get_by_label("Name of the program").fill("export")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator("code.secret").inner_text().startswith("myo_")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Revoke").click()
    assert page.get_by_role("button", name="Revoke").count() == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("The token was revoked.").wait_for()


def test_no_serious_violation_and_nothing_sticks_out(page: playwright.Page) -> None:
    found = serious(page)
    set_up(page)
    for language, theme in (("en", "light"), ("en", "dark"), ("zh-CN", "light"), ("zh-CN", "dark")):
        choices = {"myosono_language": language, "myosono_theme": theme}
        page.context.add_cookies(
            [{"name": name, "value": value, "url": page.url} for name, value in choices.items()]
        )  # fmt: skip
        for path in PAGES:
            page.goto(path)
            found += serious(page)
    page.set_viewport_size({"width": 820, "height": 1180})
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 820, path
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto("/admin/users")
    page.locator("[popovertarget]").first.click()
    found += serious(page)
    page.context.clear_cookies(name="myosono_session")
    page.goto("/login")
    found += serious(page)
    assert not found, found
