"""What the command line settles before any verb runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from myosono.cli.main import SPIN_COUNT, wait_briefly


@pytest.mark.parametrize("chosen", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_a_users_own_waiting_policy_stands(chosen):
    environment = dict(chosen)
    wait_briefly(environment)
    assert environment == chosen


def test_threads_wait_briefly_before_torch_is_loaded():
    program = (
        "import json, os, sys\n"
        "os.environ.pop('OMP_WAIT_POLICY', None), os.environ.pop('GOMP_SPINCOUNT', None)\n"
        "import myosono.cli.main as main\n"
        "main.app = lambda: print(json.dumps([os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules]))\n"
        "main.main()\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == [SPIN_COUNT, False]


def myosono(*arguments, **options):
    command = [sys.executable, "-m", "myosono.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, **options)


def test_an_out_that_cannot_be_made_is_one_line_and_comes_before_the_work(tmp_path):
    Image.new("L", (64, 64), 90).save(tmp_path / "a.png")
    (tmp_path / "afile").write_text("in the way")
    for place in ("afile", "afile/below"):
        done = myosono("read", tmp_path / "a.png", "--out", tmp_path / place)
        assert done.returncode == 1
        assert done.stderr.startswith(b"myosono: ")
        assert b"Traceback" not in done.stderr
        assert done.stdout == b""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_a_file_name_that_is_not_utf_8_does_not_end_the_reading(tmp_path):
    source = os.fsdecode(os.fsencode(tmp_path) + b"/\xd5\xc5_RD_1.png")
    Image.effect_noise((120, 120), 60).save(source)
    utf8 = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    told = myosono("read", tmp_path, "--json", "--out", tmp_path / "out", env=utf8)
    assert b"Traceback" not in told.stderr
    (image,) = json.loads(told.stdout)["images"]
    assert image["path"] == source
    assert json.loads((tmp_path / "out" / "reading.json").read_text(encoding="utf-8"))["images"] == [image]
    assert b"_RD_1.png" in myosono("read", tmp_path, env=utf8).stdout
