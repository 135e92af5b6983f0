from __future__ import annotations

import subprocess
import sys

import pytest

import myosono.imaging
from myosono.errors import UsageError
from myosono.imaging import Area, Limits


def test_importing_and_reading_a_png_loads_no_heavy_package(saved, speckle):
    path = saved(speckle, "a.png")
    code = (
        "import sys; from myosono.imaging import read_frame; read_frame(sys.argv[1]);"
        "print([name for name in ('torch', 'pydicom', 'cv2', 'pandas', 'scipy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_all_names_exist():
    assert all(hasattr(myosono.imaging, name) for name in myosono.imaging.__all__)


def test_area():
    area = Area(-5, 10, 50, 300)
    assert area.clamped(40, 200) == Area(0, 10, 40, 200)
    assert Area(0, 0, 10, 10).iou(Area(20, 20, 30, 30)) == 0
    assert Area(0, 0, 0, 0).iou(Area(0, 0, 0, 0)) == 0


def test_limits_must_be_positive():
    with pytest.raises(UsageError, match="max_frames"):
        Limits(max_frames=0)
