from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from myosono.imaging import read_frame
from myosono.imaging.colour import coloured_pixels


@pytest.fixture
def b_mode():
    return np.random.default_rng(0).integers(20, 230, (120, 100), dtype=np.uint8)


def test_grey_and_tinted_images_carry_no_colour_of_their_own(b_mode):
    grey = np.repeat(b_mode[..., None], 3, axis=2)
    sepia = (grey * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    assert coloured_pixels(grey) is None
    assert coloured_pixels(sepia) is None


def test_a_doppler_box_is_found_where_it_is(b_mode):
    picture = np.repeat(b_mode[..., None], 3, axis=2)
    picture[30:60, 40:70] = (200, 30, 30)
    mask = coloured_pixels(picture)
    expected = np.zeros(b_mode.shape, dtype=bool)
    expected[30:60, 40:70] = True
    np.testing.assert_array_equal(mask, expected)


def test_deep_values_count_like_eight_bits(b_mode):
    picture = np.repeat(b_mode[..., None], 3, axis=2)
    picture[:50] = (40, 60, 220)
    np.testing.assert_array_equal(coloured_pixels(picture), coloured_pixels(picture.astype(np.uint16) * 257, 65535))


def test_a_frame_states_the_share_within_its_area(b_mode, tmp_path):
    picture = np.repeat(b_mode[..., None], 3, axis=2)
    picture[30:60, 40:70] = (200, 30, 30)
    Image.fromarray(picture).save(tmp_path / "doppler.png")
    Image.fromarray(b_mode).save(tmp_path / "plain.png")
    assert read_frame(tmp_path / "doppler.png").colour_share == pytest.approx(900 / 12000, abs=0.02)
    assert read_frame(tmp_path / "plain.png").colour_share == 0.0


def test_colour_of_dicom_is_seen_in_every_colour_space():
    from pydicom.dataset import Dataset

    from myosono.imaging.dicom_pixels import GreyConverter

    rgb = np.full((40, 40, 3), 100, np.uint8)
    rgb[:10] = (220, 20, 20)
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    convert = GreyConverter(Dataset())
    for pixels, photometric in ((rgb, "RGB"), (ybr, "YBR_FULL"), (ybr, "YBR_PARTIAL_422")):
        assert convert(pixels, photometric).coloured.mean() == 0.25, photometric
