"""Whatever happens to a file, reading it gives frames or an ImageError: nothing else, and no warnings."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from myosono.errors import ImageError
from myosono.imaging import Limits, read_frame, read_frames

KINDS = (
    "PNG",
    "JPEG",
    "BMP",
    "GIF",
    "TIFF",
    "DICOM",
    "DICOM JPEG",
    "DICOM palette",
    "DICOM RLE",
    "DICOM JPEG lossless",
)
LIMITS = Limits(max_bytes=20_000_000, max_pixels=4_000_000, max_frames=100)
FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def intact(kind: str) -> bytes:
    files = Path(pydicom.__file__).parent / "data" / "test_files"
    if kind in ("DICOM RLE", "DICOM JPEG lossless"):
        data_store = pytest.importorskip("data_store", reason="pydicom-data is not installed")
        name = {"DICOM RLE": "OBXXXX1A_rle", "DICOM JPEG lossless": "JPGLosslessP14SV1_1s_1f_8b"}[kind]
        return (Path(data_store.__file__).parent / "data" / f"{name}.dcm").read_bytes()
    names = {"DICOM": "ExplVR_BigEnd", "DICOM JPEG": "examples_ybr_color", "DICOM palette": "examples_palette"}
    if kind in names:
        return (files / f"{names[kind]}.dcm").read_bytes()
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def frames_or_error(data: bytes) -> int:
    """Frames that could be read; -1 for an ImageError. Anything else, a warning included, fails the test."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        path = Path(folder) / "P001_RD_1.bin"
        path.write_bytes(data)
        try:
            # A damaged cine need not be decoded to its end to prove the point.
            frames = list(islice(read_frames(path, LIMITS), 3))
        except ImageError as error:
            message = str(error)
        else:
            assert all(frame.pixels.dtype == np.uint8 and frame.b_mode.size > 0 for frame in frames)
            return len(frames)
        assert message.startswith(str(path))
        assert "\n" not in message
        return -1


@pytest.mark.parametrize("kind", KINDS)
def test_intact(kind):
    assert frames_or_error(intact(kind)) >= 1


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_truncated(kind, data):
    whole = intact(kind)
    keep = data.draw(st.one_of(st.integers(0, min(2000, len(whole) - 1)), st.integers(0, len(whole) - 1)))
    frames_or_error(whole[:keep])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_flipped_bits(kind, data):
    damaged = bytearray(intact(kind))
    places = st.one_of(st.integers(0, min(3000, len(damaged) - 1)), st.integers(0, len(damaged) - 1))
    for place, bit in data.draw(st.lists(st.tuples(places, st.integers(0, 7)), min_size=1, max_size=4)):
        damaged[place] ^= 1 << bit
    frames_or_error(bytes(damaged))


@given(data=st.binary(max_size=600))
@FEW
def test_noise(data):
    frames_or_error(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "DICOM"])
def test_half_a_file_is_an_error(kind):
    whole = intact(kind)
    assert frames_or_error(whole[: len(whole) // 2]) == -1


def test_half_a_file_is_an_error_even_after_a_library_has_made_pillow_tolerant(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as WeasyPrint does when it is imported
    whole = intact("PNG")
    assert frames_or_error(whole[: len(whole) // 2]) == -1
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"<!doctype html><html></html>", "a web page"),
        (b"file,muscle\na.png,D\n", "text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (bytes(range(256)), "binary data of an unknown kind"),
    ],
)
def test_no_image_at_all(tmp_path, content, reason):
    path = tmp_path / "P001_RD_1.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        read_frame(path)
    assert str(caught.value).startswith(str(path))


def test_folder_missing_and_special(tmp_path):
    with pytest.raises(ImageError, match="is a folder"):
        read_frame(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_frame(tmp_path / "absent.png")
    with pytest.raises(ImageError, match=r"cannot be read|does not exist"):
        read_frame("a\x00b.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read_frame(tmp_path / "pipe.png")


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(intact("PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything
        monkeypatch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(ImageError, match="permission denied"):
        read_frame(path)
