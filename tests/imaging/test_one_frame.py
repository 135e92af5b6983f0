"""`read_frame` with an index gives what `read_frames` gives at that place, and the colours that a screen shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, pixel_array

from myosono.errors import ImageError
from myosono.imaging import read_frame, read_frames

MULTI_FRAME = ("color3d_jpeg_baseline.dcm", "emri_small.dcm", "examples_ybr_color.dcm")


def sample(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom's test file {name} is not installed")
    return Path(path)


@pytest.mark.parametrize("name", MULTI_FRAME)
def test_a_dicom_frame_is_the_one_of_that_number(name: str) -> None:
    path = sample(name)
    expected = list(read_frames(path))
    for index in (0, 1, len(expected) - 1):
        found = read_frame(path, index=index)
        assert np.array_equal(found.pixels, expected[index].pixels)
        assert (found.frame_index, found.frame_count) == (index, len(expected))
        assert (found.area, found.spacing_mm, found.warnings) == (
            expected[index].area,
            expected[index].spacing_mm,
            expected[index].warnings,
        )


def test_a_page_of_a_tiff_is_the_one_of_that_number(tmp_path: Path, make_speckle) -> None:
    pages = [Image.fromarray(make_speckle(seed)) for seed in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_frame(tmp_path / "pages.tif", index=2).pixels, np.asarray(pages[2]))


def test_a_frame_of_a_video_is_the_one_of_that_number(tmp_path: Path, make_speckle) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "loop.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 80))
    for seed in range(5):
        writer.write(np.repeat(make_speckle(seed, 80, 64)[..., None], 3, axis=2))
    writer.release()
    expected = list(read_frames(path))
    for index in range(5):
        found = read_frame(path, index=index)
        assert np.array_equal(found.pixels, expected[index].pixels)
        assert found.area == expected[index].area


@pytest.mark.parametrize("index", [-1, 30])
def test_a_frame_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(ImageError, match=f"has no frame {index}: it holds 30"):
        read_frame(sample("examples_ybr_color.dcm"), index=index)


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_palette.dcm", "examples_ybr_color.dcm"])
def test_colours_are_those_that_pydicom_shows(name: str) -> None:
    path = sample(name)
    found = read_frame(path, colour=True)
    dataset = dcmread(path)
    if name == "examples_palette.dcm":
        expected = apply_color_lut(dataset.pixel_array, dataset).astype(float)
        expected *= 255 / (2 ** int(dataset.RedPaletteColorLookupTableDescriptor[2]) - 1)
    else:
        expected = pixel_array(path, index=0)
    assert found.rgb is not None
    assert found.rgb.shape == (*found.pixels.shape, 3)
    assert np.abs(found.rgb.astype(float) - expected).max() <= 2


def test_grey_sources_have_no_colours(tmp_path: Path, make_speckle) -> None:
    Image.fromarray(make_speckle(1)).save(tmp_path / "grey.png")
    assert read_frame(tmp_path / "grey.png", colour=True).rgb is None


def test_colours_are_made_only_on_request(tmp_path: Path) -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:20, 10:20] = (200, 30, 40)
    Image.fromarray(picture).save(tmp_path / "doppler.png")
    assert read_frame(tmp_path / "doppler.png").rgb is None
    assert np.array_equal(read_frame(tmp_path / "doppler.png", colour=True).rgb, picture)


def test_a_stored_file_is_told_by_the_name_it_came_with(tmp_path: Path, make_speckle) -> None:
    path = tmp_path / "0a1b2c.png"
    Image.fromarray(make_speckle(1)).save(path)
    (frame,) = read_frames(path, name="visit/P007_LFDP_2.png")
    assert (frame.patient_id, frame.muscle, frame.side, frame.source) == ("P007", "FDP", "L", str(path))
