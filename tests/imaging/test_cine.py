from __future__ import annotations

import numpy as np
import pytest

from myosono.errors import ImageError, MissingExtraError
from myosono.imaging import Limits, read_frame, read_frames
from myosono.imaging import cine as cine_module


@pytest.fixture(params=["avi", "mp4"])
def cine(request, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    path = tmp_path / f"P003_LG_1.{request.param}"
    code = cv2.VideoWriter_fourcc(*{"avi": "MJPG", "mp4": "mp4v"}[request.param])
    writer = cv2.VideoWriter(str(path), code, 20, (160, 120))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV cannot write {request.param}")
    ramp = np.tile(np.linspace(0, 120, 160), (120, 1))
    for shot in range(12):
        writer.write(np.repeat((ramp + 10 * shot).astype(np.uint8)[..., None], 3, axis=2))
    writer.release()
    return path


def test_frames(cine):
    frames = list(read_frames(cine))
    assert [frame.frame_index for frame in frames] == list(range(12))
    assert {frame.pixels.shape for frame in frames} == {(120, 160)}
    assert frames[0].pixels[60, 80] == pytest.approx(60, abs=6)
    assert frames[11].pixels[60, 80] == pytest.approx(170, abs=6)
    assert (frames[0].patient_id, frames[0].muscle, frames[0].side) == ("P003", "G", "L")


def test_limits(cine):
    with pytest.raises(ImageError, match="12 frames"):
        read_frame(cine, Limits(max_frames=5))
    with pytest.raises(ImageError, match="160 x 120"):
        read_frame(cine, Limits(max_pixels=1000))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(cine, share, capfd):
    data = cine.read_bytes()
    cine.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ImageError):
        list(read_frames(cine))
    assert capfd.readouterr().err == ""


def test_without_opencv(cine, monkeypatch):
    def absent(*args, **kwargs):
        raise MissingExtraError("cv2 is not installed")

    monkeypatch.setattr(cine_module, "require", absent)
    with pytest.raises(MissingExtraError):
        read_frame(cine)
