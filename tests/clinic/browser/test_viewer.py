"""The viewer in a browser: measuring, cine, maps, side by side."""

from __future__ import annotations

import math
import re

import pytest

from .cine import FRAMES, LEFT_CM, RIGHT_CM

pytestmark = pytest.mark.slow

KEEP_TEXTS = """() => {
    window.drawn = [];
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        window.drawn.push(text);
        return fill.call(this, text, ...rest);
    };
}"""


@pytest.fixture
def viewer(open_page, clinic):
    page = open_page(f"/studies/{clinic.cine}/viewer")
    ready(page)
    page.evaluate(KEEP_TEXTS)
    return page


def ready(page, pane: int = 0) -> None:
    page.locator(f'.pane[data-pane="{pane}"][data-ready]').wait_for()


def place(page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the frame lies on the page, while it fits the pane."""
    facts = page.evaluate("JSON.parse(document.getElementById('images').textContent)[0].frames[0]")
    box = page.locator(".pane canvas").first.bounding_box()
    scale = min(box["width"] / facts["width"], box["height"] / facts["height"])
    left = box["x"] + (box["width"] - facts["width"] * scale) / 2
    top = box["y"] + (box["height"] - facts["height"] * scale) / 2
    return left + x * scale, top + y * scale


def drag(page, start, end) -> None:
    page.mouse.move(*place(page, *start))
    page.mouse.down()
    page.mouse.move(*place(page, *end), steps=5)
    page.mouse.up()
    page.wait_for_timeout(100)


def millimetres(page) -> float:
    said = [text for text in page.evaluate("window.drawn") if text.endswith(" mm")]
    return float(said[-1].removesuffix(" mm"))


def regions(page) -> list[dict]:
    return page.evaluate("JSON.parse(document.getElementById('images').textContent)[0].frames[0].regions")


def test_a_line_is_measured_by_the_region_under_it(viewer):
    viewer.keyboard.press("m")
    right = regions(viewer)[1]
    drag(viewer, (20, 40), (60, 70))
    assert millimetres(viewer) == pytest.approx(10 * math.hypot(40 * LEFT_CM[0], 30 * LEFT_CM[1]), rel=0.03)
    drag(viewer, (right["left"] + 20, 40), (right["left"] + 60, 70))
    assert millimetres(viewer) == pytest.approx(10 * math.hypot(40 * RIGHT_CM[0], 30 * RIGHT_CM[1]), rel=0.03)


def test_a_line_across_regions_is_refused_with_the_reason(viewer):
    viewer.keyboard.press("m")
    left, right = regions(viewer)
    drag(viewer, (left["right"] - 40, 60), (right["left"] + 40, 60))
    viewer.locator(".message", has_text="crosses regions of different scale").wait_for()
    assert viewer.evaluate("window.drawn")[-1] == "crosses regions of different scale"
    viewer.evaluate("window.drawn = []")
    viewer.keyboard.press("+")  # drawn again: the refused line was not kept
    viewer.wait_for_timeout(150)
    assert viewer.evaluate("window.drawn") == []


def test_the_scale_under_the_pointer_is_told(viewer):
    viewer.mouse.move(*place(viewer, 30, 30))
    viewer.locator(".pane-scale", has_text="0.100 mm a pixel across, 0.200 down").wait_for()
    viewer.mouse.move(*place(viewer, regions(viewer)[1]["left"] + 30, 30))
    viewer.locator(".pane-scale", has_text=re.compile("^0.300 mm a pixel$")).wait_for()


def test_cine_steps_and_plays(viewer):
    number = viewer.locator("#frame-number")
    assert number.inner_text() == f"1 / {FRAMES}"
    viewer.keyboard.press(".")
    viewer.locator("#frame-number", has_text=f"2 / {FRAMES}").wait_for()
    viewer.keyboard.press(",")
    viewer.keyboard.press(",")
    viewer.locator("#frame-number", has_text=f"{FRAMES} / {FRAMES}").wait_for()
    viewer.get_by_role("button", name="Play").click()
    seen = set()
    for _ in range(40):
        seen.add(number.inner_text())
        viewer.wait_for_timeout(30)
    assert len(seen) >= 3
    viewer.get_by_role("button", name="Stop").click()
    viewer.wait_for_timeout(300)
    before = number.inner_text()
    viewer.wait_for_timeout(300)
    assert number.inner_text() == before


def pixels(page) -> str:
    return page.locator(".pane canvas").first.evaluate("canvas => canvas.toDataURL()")


def test_a_map_lies_over_the_image_as_strongly_as_wished(viewer):
    plain = pixels(viewer)
    viewer.locator("#layer").select_option("Normal")  # nothing in this image speaks for IBM: its map is empty
    viewer.locator('.pane[data-ready$="/Normal"]').wait_for()
    viewer.wait_for_timeout(100)
    heat = pixels(viewer)
    assert heat != plain
    viewer.locator("#opacity").fill("0")
    viewer.wait_for_timeout(100)
    assert pixels(viewer) == plain
    viewer.locator("#layer").select_option("shrinkage")
    viewer.get_by_text("a diagnostic of the network").wait_for()


def hold(page, wanted: str, *, fail: bool = False) -> None:
    """Requests of pictures whose address holds ``wanted`` wait until ``let()``; or fail, in the page itself."""
    page.evaluate(
        """([wanted, fail]) => {
            const truly = window.fetch;
            const open = new Promise((done) => (window.let = done));
            window.fetch = async (to, given) => {
                if (!String(to).includes(wanted)) return truly(to, given);
                if (fail) throw new TypeError("Failed to fetch");
                await open;
                return truly(to, given);
            };
        }""",
        [wanted, fail],
    )


def test_no_map_stands_under_the_name_of_another(viewer):
    """On a slow line the last map had stayed until the next one came."""
    plain = pixels(viewer)
    viewer.locator("#layer").select_option("Normal")
    viewer.locator('.pane[data-ready$="/Normal"]').wait_for()
    hold(viewer, "layer=shrinkage")
    viewer.locator("#layer").select_option("shrinkage")
    viewer.wait_for_timeout(200)
    assert pixels(viewer) == plain
    viewer.evaluate("window.let()")
    viewer.locator('.pane[data-ready$="/shrinkage"]').wait_for()
    viewer.wait_for_timeout(100)
    assert pixels(viewer) != plain


def test_a_map_that_cannot_be_fetched_is_told(viewer):
    """A picture without a map had looked as if nothing spoke for the class."""
    hold(viewer, "/map.png", fail=True)
    viewer.locator("#layer").select_option("Normal")
    viewer.locator(".pane-note", has_text="The map cannot be shown").first.wait_for()


def test_a_frame_stands_with_its_own_facts_until_the_next_has_come(viewer):
    before = pixels(viewer)
    hold(viewer, "/frames/1.png")
    viewer.evaluate("window.drawn = []")
    viewer.keyboard.press(".")
    viewer.wait_for_timeout(200)
    assert pixels(viewer) == before
    assert viewer.locator("#frame-number").inner_text() == f"1 / {FRAMES}"
    viewer.keyboard.press(".")  # the one after the one that is on its way
    viewer.locator("#frame-number", has_text=f"3 / {FRAMES}").wait_for()
    assert pixels(viewer) != before


def test_a_line_belongs_to_its_frame(viewer):
    viewer.keyboard.press("m")
    drag(viewer, (20, 40), (60, 70))
    viewer.keyboard.press(".")
    viewer.locator("#frame-number", has_text=f"2 / {FRAMES}").wait_for()
    viewer.evaluate("window.drawn = []")
    viewer.keyboard.press("+")
    viewer.wait_for_timeout(150)
    assert viewer.evaluate("window.drawn") == []
    viewer.keyboard.press(",")
    viewer.locator("#frame-number", has_text=f"1 / {FRAMES}").wait_for()
    viewer.wait_for_timeout(150)
    assert [text for text in viewer.evaluate("window.drawn") if text.endswith(" mm")]


def test_a_loop_stops_where_a_frame_cannot_be_fetched(viewer):
    hold(viewer, "/frames/", fail=True)
    viewer.get_by_role("button", name="Play").click()
    viewer.get_by_role("button", name="Play").wait_for()
    viewer.wait_for_timeout(500)
    assert viewer.locator("#messages .message").count() == 1
    assert "does not answer" in viewer.locator("#messages").inner_text()


def test_brightness_changes_is_told_and_is_reset(viewer):
    plain = pixels(viewer)
    viewer.keyboard.press("w")
    drag(viewer, (50, 50), (90, 20))
    assert pixels(viewer) != plain
    viewer.locator(".pane-facts", has_text=re.compile(r"brightness × \d\.\d, contrast × \d\.\d")).wait_for()
    viewer.keyboard.press("r")
    viewer.wait_for_timeout(100)
    assert pixels(viewer) == plain
    assert "brightness" not in viewer.locator(".pane-facts").first.inner_text()


GREYS = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const counts = new Array(256).fill(0);
    for (let place = 0; place < data.length; place += 4) counts[data[place]] += 1;
    return counts.reduce((sum, count, level) => sum + count * level, 0) / (data.length / 4);
}"""


def test_brightness_changes_alike_where_canvases_know_no_filters(open_page, clinic):
    """Safari knows none: there the tool had done nothing, and said nothing."""
    means = []
    for known in (True, False):
        page = open_page("/")
        if not known:
            page.add_init_script("delete CanvasRenderingContext2D.prototype.filter")
        page.goto(f"{clinic.url}/studies/{clinic.cine}/viewer")
        ready(page)
        assert page.evaluate("'filter' in CanvasRenderingContext2D.prototype") is known
        canvas = page.locator(".pane canvas").first
        page.wait_for_timeout(150)
        before = canvas.evaluate(GREYS)
        page.keyboard.press("w")
        drag(page, (50, 50), (55, 20))
        after = canvas.evaluate(GREYS)
        assert after > 1.02 * before
        means.append((before, after))
    assert means[1] == pytest.approx(means[0], rel=0.03)  # before and after the picture is scaled


def test_keys_go_to_the_images_once_the_pointer_chose_a_map(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}/viewer")
    ready(page)
    title = page.locator(".pane-title").first.inner_text()
    page.locator("#layer").dispatch_event("pointerdown")
    page.locator("#layer").focus()
    page.locator("#layer").select_option("IBM")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("title => document.querySelector('.pane-title').textContent !== title", arg=title)
    assert page.locator("#layer").input_value() == "IBM"


def test_another_image_of_the_address_is_not_shown_under_the_old_picture(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}/viewer")
    ready(page)
    other = page.locator("#strip button").nth(2).get_attribute("data-image")
    hold(page, f"/images/{other}/frames/")
    page.evaluate("id => { location.hash = `image=${id}`; }", other)
    page.wait_for_timeout(300)
    empty = "canvas => !canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    assert page.locator(".pane canvas").first.evaluate(empty)


def test_both_sides_zoom_together(open_page, clinic):
    page = open_page(f"/studies/{clinic.study}/viewer")
    ready(page)
    page.keyboard.press("c")
    ready(page, 1)
    titles = [page.locator(".pane-title").nth(number).inner_text() for number in (0, 1)]
    assert [title.split(" ")[0] for title in titles] == ["RD", "LD"]
    assert "beside=" in page.url
    second = page.locator(".pane canvas").nth(1)
    page.wait_for_timeout(200)
    before = second.evaluate("canvas => canvas.toDataURL()")
    box = page.locator(".pane canvas").first.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(200)
    assert second.evaluate("canvas => canvas.toDataURL()") != before
    page.get_by_label("Zoom together").uncheck()
    alone = second.evaluate("canvas => canvas.toDataURL()")
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, 400)
    page.wait_for_timeout(200)
    assert second.evaluate("canvas => canvas.toDataURL()") == alone


def test_the_help_lists_the_keys(viewer):
    viewer.keyboard.press("?")
    viewer.locator("#help[open]").wait_for()
    assert "play or stop the cine loop" in viewer.locator("#help").inner_text()
    viewer.keyboard.press("Escape")
    assert not viewer.locator("#help").is_visible()
