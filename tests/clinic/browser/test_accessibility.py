"""axe-core finds no serious violation, on any page, in either language and light."""

from __future__ import annotations

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
PAGES = ("/", "/studies/{study}", "/studies/{study}/viewer", "/agreement", "/drift", "/api/docs")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "theme"), [("en", "light"), ("en", "dark"), ("zh-CN", "light"), ("zh-CN", "dark")]
)
def test_no_serious_violation(open_page, clinic, language, theme):
    found = []
    for path in PAGES:
        page = open_page(path.format(study=clinic.study), language=language, theme=theme)
        page.wait_for_timeout(300)
        answer = axe.Axe().run(page)
        for one in answer.response["violations"]:
            if one["impact"] in ("serious", "critical"):
                where = [node["html"][:160] for node in one["nodes"]][:3]
                found.append((path, one["id"], where))
    assert not found, found


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/studies/{study}", "/drift"])
def test_nothing_sticks_out_of_a_tablet(open_page, clinic, path):
    page = open_page(path.format(study=clinic.study), size=(820, 1180))
    assert page.evaluate("document.documentElement.scrollWidth") <= 820


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("path", ["/", "/studies/{study}", "/studies/{cine}/viewer", "/studies/{study}/report.html"])
def test_nothing_sticks_out_of_a_phone(open_page, clinic, path, language):
    page = open_page(path.format(study=clinic.study, cine=clinic.cine), size=(390, 844), language=language)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/studies/{study}"])
def test_first_paint_within_300_ms(open_page, clinic, path):
    """The best of five: other work on the machine makes a page slower, never faster."""
    page = open_page(path.format(study=clinic.study))
    times = []
    for _ in range(5):
        page.reload()
        while (painted := page.evaluate(PAINTED)) is None:
            page.wait_for_timeout(50)
        times.append(painted)
    assert min(times) < 300, times
