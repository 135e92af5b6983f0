"""Measuring on the screen, in the script that the viewer uses, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from myosono.clinic.web.pages import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed")

FINE = {
    "left": 0,
    "top": 0,
    "right": 100,
    "bottom": 100,
    "mm_per_pixel_x": 0.1,
    "mm_per_pixel_y": 0.2,
    "kind": "b-mode",
}
COARSE = {**FINE, "left": 120, "right": 220, "mm_per_pixel_x": 0.4, "mm_per_pixel_y": 0.4}
TWIN = {**FINE, "left": 100, "right": 120}
TRACE = {**FINE, "top": 100, "bottom": 200, "mm_per_pixel_x": None, "mm_per_pixel_y": None, "kind": "other"}


def length(regions: list, a: tuple, b: tuple, tmp_path: Path) -> dict:
    module = tmp_path / "geometry.mjs"
    module.write_text((STATIC / "viewer" / "geometry.js").read_text(encoding="utf-8"), encoding="utf-8")
    points = [{"x": x, "y": y} for x, y in (a, b)]
    code = f"import {{ lengthOf }} from {json.dumps(module.as_uri())};"
    code += f"console.log(JSON.stringify(lengthOf(...{json.dumps([regions, *points])})))"
    said = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


def test_each_axis_has_its_own_scale(tmp_path):
    assert length([FINE], (10, 10), (40, 30), tmp_path)["mm"] == pytest.approx((3**2 + 4**2) ** 0.5)


def test_the_region_under_the_line_counts(tmp_path):
    assert length([FINE, COARSE], (130, 10), (140, 10), tmp_path)["mm"] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((10, 10), (130, 10)),  # from one scale to another
        ((10, 10), (110, 10)),  # out of the region, onto nothing
        ((50, 50), (50, 150)),  # onto a trace, which has no length
        ((-10, 50), (300, 50)),  # both ends outside, regions between
    ],
)
def test_a_line_across_scales_has_no_length(a, b, tmp_path):
    found = length([FINE, COARSE, TRACE], a, b, tmp_path)
    assert (found["mm"], found["pixels"], found["reason"]) == (None, None, "regions")


def test_regions_of_one_scale_may_be_crossed(tmp_path):
    assert length([FINE, TWIN], (90, 50), (110, 50), tmp_path)["mm"] == pytest.approx(2.0)


@pytest.mark.parametrize("regions", [[], [TRACE]])
def test_without_a_scale_it_is_pixels(regions, tmp_path):
    found = length(regions, (0, 110), (30, 150), tmp_path)
    assert (found["mm"], found["pixels"], found["reason"]) == (None, pytest.approx(50.0), "no-scale")
