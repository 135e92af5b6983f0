"""The examples for other people's products, run as they stand against the shipped model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from myosono.reading import Artefact, embedded_model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NODE = EXAMPLES / "javascript_onnxruntime_node"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    import numpy as np

    grey = np.random.default_rng(0).integers(0, 200, (180, 140), dtype=np.uint8)
    path = tmp_path_factory.mktemp("study") / "image.png"
    Image.fromarray(grey).save(path)
    return path, grey


def check(command: list[str], grey) -> None:
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    artefact = Artefact()
    expected = dict(zip(artefact.classes, artefact.run(grey).probabilities.tolist(), strict=True))
    assert {name: told[name] for name in artefact.classes} == pytest.approx(expected, abs=1e-5)
    assert told["trained_on"] == artefact.metadata["trained_on"]
    assert told["simulated"] is artefact.metadata["simulated"]


def test_python(study):
    script = EXAMPLES / "python_onnxruntime" / "read.py"
    check([sys.executable, str(script), str(embedded_model()), str(study[0])], study[1])


def test_javascript(study):
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules").is_dir():
        assert not os.environ.get("MYOSONO_NODE"), "MYOSONO_NODE is set, but node or its packages are missing"
        pytest.skip("node or its packages are missing; `make examples` installs the packages")
    check([node, str(NODE / "read.mjs"), str(embedded_model()), str(study[0])], study[1])


@pytest.mark.parametrize("script", ["python_onnxruntime/read.py", "javascript_onnxruntime_node/read.mjs"])
def test_they_stay_short(script):
    lines = (EXAMPLES / script).read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 22
