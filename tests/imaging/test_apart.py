"""GDCM in its own process: what hangs or kills it is a damaged frame, and the next frame is read."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from myosono.errors import ImageError
from myosono.imaging import read_frame
from myosono.imaging.apart import SeparateDecoder, separate_decoder

INTACT = "SC_rgb_jpeg_gdcm.dcm"
NEVER_ENDS = bytes.fromhex("fffeffd9")
"""In place of the last bytes of that stream, a comment that announces more than there is: GDCM reads on without end."""


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    dataset = pydicom.dcmread(str(get_testdata_file(INTACT)))
    (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([stream[: -len(NEVER_ENDS)] + NEVER_ENDS])
    dataset.save_as(tmp_path / "hangs.dcm")
    return tmp_path / "hangs.dcm"


def test_a_stream_that_never_ends_is_refused_in_seconds(hanging: Path) -> None:
    """Found by fuzzing (case 8519 of the target dicom): `myosono read` waited for ever."""
    before = os.times()
    with pytest.raises(ImageError, match="did not come to an end"):
        read_frame(hanging)
    after = os.times()
    assert after.children_user - before.children_user < 6
    assert read_frame(str(get_testdata_file(INTACT))).pixels.shape == (100, 100)


def test_a_killed_decoder_is_started_again() -> None:
    path = str(get_testdata_file(INTACT))
    before = read_frame(path).pixels
    process = separate_decoder._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert np.array_equal(read_frame(path).pixels, before)


def test_threads_take_turns() -> None:
    paths = [str(get_testdata_file(name)) for name in (INTACT, "MR_small_jpeg_ls_lossless.dcm", "JPEG-LL.dcm")]
    alone = [read_frame(path).pixels for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: read_frame(path).pixels, paths * 5))
    assert all(np.array_equal(found, alone[number % 3]) for number, found in enumerate(together))


def test_a_closed_decoder_leaves_no_process() -> None:
    decoder = SeparateDecoder()
    with pytest.raises(ValueError, match="Unable to decode"):
        decoder.decode(b"\xff\xd8no stream", _FACTS)
    process = decoder._process
    assert process is not None
    started = time.monotonic()
    decoder.close()
    assert process.returncode == 0
    assert time.monotonic() - started < 5


_FACTS = {
    "transfer_syntax_uid": "1.2.840.10008.1.2.4.70",
    "rows": 16,
    "columns": 16,
    "samples_per_pixel": 1,
    "photometric_interpretation": "MONOCHROME2",
    "pixel_representation": 0,
    "bits_allocated": 8,
    "bits_stored": 8,
    "pixel_keyword": "PixelData",
}


def test_the_largest_frame_that_is_admitted_fits(tmp_path: Path) -> None:
    """16 million pixels of 16 bits in JPEG-LS: within the time and the memory of the decoding process."""
    from pydicom.uid import JPEGLSLossless

    side = 3999
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    pixels = (np.arange(side * side, dtype=np.uint32) % 4096).astype(np.uint16).reshape(side, side)
    dataset.Rows, dataset.Columns, dataset.PixelRepresentation = side, side, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = pixels.tobytes()
    dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls")
    dataset.save_as(tmp_path / "large.dcm")
    assert read_frame(tmp_path / "large.dcm").pixels.shape == (side, side)
