from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from myosono.errors import ImageError
from myosono.imaging import Area, Limits, read_frame, read_frames


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff"])
def test_lossless_grey_is_kept_exactly(saved, speckle, name):
    frame = read_frame(saved(speckle, name))
    assert np.array_equal(frame.pixels, speckle)
    assert frame.pixels.dtype == np.uint8
    assert (frame.frame_index, frame.frame_count, len(frame.sha256)) == (0, 1, 64)


def test_jpeg_is_close(saved, speckle):
    smooth = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    assert np.abs(read_frame(saved(smooth, "a.jpg")).pixels.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_stored_as_colour_keeps_its_values(saved, speckle, mode):
    image = Image.fromarray(speckle).convert(mode)
    assert np.array_equal(read_frame(saved(image, "a.png")).pixels, speckle)


def test_colour_becomes_luma(saved):
    image = Image.new("RGB", (9, 8), (200, 100, 50))
    assert read_frame(saved(image, "a.png")).pixels[0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_cmyk_black_and_white(saved):
    image = Image.new("CMYK", (80, 60), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 40, 60))
    pixels = read_frame(saved(image, "a.tif")).pixels
    assert (pixels[0, 0], pixels[0, 79]) == (255, 0)


def test_one_bit(saved):
    assert set(np.unique(read_frame(saved(Image.new("1", (20, 10), 1), "a.png")).pixels)) == {255}


def test_transparent_is_black(saved):
    assert read_frame(saved(Image.new("RGBA", (20, 10), (255, 255, 255, 0)), "a.png")).pixels.max() == 0


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_scaled(saved, speckle, name):
    frame = read_frame(saved(speckle.astype(np.uint16) * 257, name))
    assert np.array_equal(frame.pixels, speckle)
    assert frame.warnings == ()


def test_eight_bits_in_a_sixteen_bit_file_do_not_turn_black(saved, speckle):
    frame = read_frame(saved(speckle.astype(np.uint16), "a.png"))
    assert np.array_equal(frame.pixels, speckle)
    assert "read as 8-bit" in frame.warnings[0]


@pytest.mark.parametrize(("kind", "peak"), [(np.uint16, 4000), (np.float32, 200)])
def test_pages_of_one_file_share_one_scale(saved, kind, peak):
    """Each page had been stretched by its own maximum: a dark page of a stack came out as bright as the rest."""
    ramp = np.linspace(0, 1, 160 * 120).reshape(120, 160)
    pages = [Image.fromarray((ramp * share * peak).astype(kind)) for share in (0.2, 1.0, 0.004)]
    path = saved(pages[0], "a.tif", save_all=True, append_images=pages[1:])
    frames = list(read_frames(path))
    means = [float(frame.pixels.mean()) for frame in frames]
    assert means[0] == pytest.approx(0.2 * means[1], rel=0.05)
    assert means[2] < 1
    for number, frame in enumerate(frames):
        assert np.array_equal(read_frame(path, index=number).pixels, frame.pixels)


def test_a_damaged_page_of_a_deep_stack_is_told_in_its_turn(saved, tmp_path):
    pages = [Image.fromarray(np.full((120, 160), level, np.uint16)) for level in (900, 1800)]
    whole = saved(pages[0], "a.tif", save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate")
    data = bytearray(whole.read_bytes())
    with Image.open(whole) as image:
        image.seek(1)
        start = image.tag_v2[273][0]
    data[start : start + 8] = b"\xff" * 8
    damaged = tmp_path / "b.tif"
    damaged.write_bytes(bytes(data))
    frames = read_frames(damaged)
    assert next(frames).frame_index == 0
    with pytest.raises(ImageError, match="frame 2 of 2"):
        next(frames)


def test_white_is_zero_in_sixteen_bits(saved, speckle):
    path = saved(speckle.astype(np.uint16) * 257, "a.tif", tiffinfo={262: 0})
    assert np.array_equal(read_frame(path).pixels, 255 - speckle)


def test_float_tiff(saved, speckle):
    assert np.array_equal(read_frame(saved(speckle.astype(np.float32) / 255, "a.tif")).pixels, speckle)
    with pytest.raises(ImageError, match=r"neither 0\.\.1 nor 0\.\.255"):
        read_frame(saved(speckle.astype(np.float32) * 100, "b.tif"))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_a_picture_is_read_as_every_viewer_shows_it(saved, speckle, name, orientation, turns):
    """TIFF had been turned as its EXIF orientation says, JPEG and PNG not."""
    exif = Image.Exif()
    exif[274] = orientation
    turned = np.rot90(speckle, turns)
    assert np.array_equal(read_frame(saved(speckle, name, exif=exif)).pixels, turned)
    assert read_frame(saved(speckle, "a.jpg", exif=exif)).pixels.shape == turned.shape


def test_pages_and_animations_are_frames(saved, speckle):
    pages = [Image.fromarray(np.roll(speckle, shift, axis=1)) for shift in range(3)]
    for name in ("a.tif", "a.gif"):
        frames = list(read_frames(saved(pages[0], name, save_all=True, append_images=pages[1:])))
        assert [frame.frame_index for frame in frames] == [0, 1, 2]
        assert {frame.frame_count for frame in frames} == {3}
        assert np.array_equal(frames[2].pixels, np.asarray(pages[2]))
        assert frames[1].name.endswith("#2")


@pytest.mark.parametrize("name", ["a.jpg", "a.dcm", "a.txt", "noextension"])
def test_the_extension_does_not_matter(saved, speckle, name):
    assert np.array_equal(read_frame(saved(speckle, name, format="PNG")).pixels, speckle)


def test_a_single_pixel_is_a_frame(saved):
    frame = read_frame(saved(Image.new("L", (1, 1), 7), "a.png"))
    assert frame.pixels.tolist() == [[7]]
    assert frame.area == Area(0, 0, 1, 1)


def _claim_30000(data: bytearray, kind: str) -> bytes:
    """Change the size in the header of a small file to 30,000 x 30,000."""
    if kind == "png":
        data[16:24] = struct.pack(">II", 30_000, 30_000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "bmp":
        data[18:26] = struct.pack("<ii", 30_000, 30_000)
    elif kind == "gif":
        data[6:10] = struct.pack("<HH", 30_000, 30_000)
    elif kind == "jpg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 30_000, 30_000)
    else:
        for tag in (256, 257):
            at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
            data[at : at + 4] = struct.pack("<I", 30_000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "gif", "tif"])
def test_huge_images_are_refused_by_size_before_decoding(saved, speckle, kind):
    path = saved(speckle, f"a.{kind}")
    path.write_bytes(_claim_30000(bytearray(path.read_bytes()), kind))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="30000 x 30000 pixels, more than the limit of 16 million"):
            read_frame(path)


def test_limits(saved, speckle):
    pages = [Image.fromarray(speckle)] * 3
    path = saved(pages[0], "a.tif", save_all=True, append_images=pages[1:])
    for limits, reason in (
        (Limits(max_bytes=100), "MB"),
        (Limits(max_pixels=100), "160 x 120 pixels"),
        (Limits(max_frames=2), "3 frames"),
    ):
        with pytest.raises(ImageError, match=reason) as caught:
            next(read_frames(path, limits))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
