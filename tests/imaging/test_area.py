from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from myosono.imaging import Area, find_b_mode_area, read_frame
from myosono.imaging.components import largest_component, opened

MARKS = Path(__file__).parent / "data" / "timtrack_marks.csv"


def screen(
    area: Area, *, size: tuple[int, int] = (600, 800), panel: int = 0, page: int | None = None, noise: int = 0
) -> np.ndarray:
    """A made-up scanner screen: speckle, text, a ruler, a grey bar, perhaps a page around the window."""
    random = np.random.default_rng(5)
    pixels = np.full(size, panel, dtype=np.uint8)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    draw.text((30, 12), "LINEAR 12-5  MSK GENERAL  01/02/2021  MI 0.7", fill=220)
    for row in range(60, 540, 20):
        draw.line((size[1] - 25, row, size[1] - 15, row), fill=200)
    pixels = np.array(image)
    pixels[100:260, 20:40] = np.linspace(255, 0, 160, dtype=np.uint8)[:, None]
    if noise:
        pixels = np.clip(pixels + random.integers(0, noise + 1, size), 0, 255).astype(np.uint8)
    depth = np.linspace(1.2, 0.4, area.height)[:, None]
    tissue = random.rayleigh(60, (area.height, area.width)) * depth
    pixels[area.top : area.bottom, area.left : area.right] = np.clip(tissue, 0, 255)
    if page is not None:
        pixels = np.pad(pixels, 50, constant_values=page)
    return pixels


@pytest.mark.parametrize("panel", [0, 40, 90])
@pytest.mark.parametrize("noise", [0, 2])
def test_screen(panel, noise):
    truth = Area(70, 120, 520, 690)
    assert find_b_mode_area(screen(truth, panel=panel, noise=noise)).iou(truth) > 0.98


def test_window_on_a_page():
    truth = Area(70, 120, 520, 690)
    shifted = Area(120, 170, 570, 740)
    assert find_b_mode_area(screen(truth, panel=50, page=255)).iou(shifted) > 0.98


def test_anechoic_layer_does_not_split_the_image():
    truth = Area(70, 120, 520, 690)
    pixels = screen(truth)
    pixels[300:360, 120:690] = 0
    assert find_b_mode_area(pixels).iou(truth) > 0.98


def test_cropped_images_are_kept_whole(speckle):
    assert find_b_mode_area(speckle) == Area(0, 0, *speckle.shape)
    dark = speckle.copy()
    # A shadow with a ragged edge, black to the bottom.
    for column in range(dark.shape[1]):
        dark[60 + 3 * (column % 17) :, column] = 0
    assert find_b_mode_area(dark) == Area(0, 0, *dark.shape)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (64, 64), (601, 799)])
@pytest.mark.parametrize("value", [0, 255])
def test_blank_images_are_kept_whole(shape, value):
    assert find_b_mode_area(np.full(shape, value, dtype=np.uint8)) == Area(0, 0, *shape)


def test_layouts_turned_and_mirrored_give_the_same_rectangle():
    truth = Area(70, 120, 520, 690)
    pixels = screen(truth, panel=30)
    width = pixels.shape[1]
    mirrored = Area(truth.top, width - truth.right, truth.bottom, width - truth.left)
    assert find_b_mode_area(np.ascontiguousarray(pixels[:, ::-1])).iou(mirrored) > 0.98
    turned = Area(truth.left, truth.top, truth.right, truth.bottom)
    assert find_b_mode_area(pixels.T).iou(turned) > 0.98


def test_largest_component_against_a_flood_fill():
    random = np.random.default_rng(0)
    for _ in range(30):
        mask = random.random((17, 23)) < 0.55
        assert largest_component(mask).sum() == max(_component_sizes(mask))
    assert not largest_component(np.zeros((4, 5), dtype=bool)).any()


def _component_sizes(mask: np.ndarray) -> list[int]:
    left, sizes = set(zip(*np.nonzero(mask), strict=True)), []
    while left:
        stack, size = [left.pop()], 0
        while stack:
            row, column = stack.pop()
            size += 1
            for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if cell in left:
                    left.remove(cell)
                    stack.append(cell)
        sizes.append(size)
    return sizes


def test_opening_removes_thin_lines_but_keeps_what_touches_the_border():
    mask = np.zeros((20, 30), dtype=bool)
    mask[3:6] = True
    mask[10:] = True
    assert np.array_equal(np.nonzero(opened(mask).any(axis=1))[0], np.arange(10, 20))


def test_fast_enough():
    pixels = screen(Area(70, 120, 520, 690))
    times = []
    for _ in range(9):
        start = time.perf_counter()
        find_b_mode_area(pixels)
        times.append(time.perf_counter() - start)
    # The target is 10 ms; the slack is for a machine that runs other tests at the same time.
    assert min(times) < 0.03


def test_real_screens_against_marks_made_by_eye(real_data):
    overlaps = {}
    for row in csv.DictReader(MARKS.open()):
        truth = Area(*(int(row[edge]) for edge in ("top", "left", "bottom", "right")))
        overlaps[row["file"]] = read_frame(real_data / "muscle_timtrack" / "images" / row["file"]).area.iou(truth)
    assert len(overlaps) == 30
    assert np.median(list(overlaps.values())) >= 0.95
    assert min(overlaps.values()) >= 0.85


def test_real_cropped_images_are_kept(real_data):
    files = sorted((real_data / "muscle_timtrack" / "images" / "set1").glob("*.png"))
    # S8 and S10 have black bars at both sides: these are rightly cut.
    files = [file for file in files if not file.name.startswith(("S8_", "S10_"))]
    for file in [*files[::4], *(real_data / "myositis_samples").glob("sample_?.png")]:
        frame = read_frame(file)
        assert frame.area.size >= 0.97 * frame.pixels.size, file.name
        assert frame.b_mode.shape == (frame.area.height, frame.area.width)
