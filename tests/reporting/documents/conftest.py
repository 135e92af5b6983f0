from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from myosono.reporting.documents import DocumentSource, read_document_source


@pytest.fixture(scope="session")
def run_folder(tiny_run) -> Path:
    return tiny_run[0].path


@pytest.fixture(scope="session")
def source(run_folder: Path) -> DocumentSource:
    return read_document_source(run_folder)


@pytest.fixture
def altered_run(run_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny run with other facts in its ``run.json``."""

    def make(name: str = "altered", **changes: dict[str, object]) -> Path:
        folder = tmp_path / name
        skip = shutil.ignore_patterns("*.ckpt", "*.html", "documents")
        shutil.copytree(run_folder, folder, ignore=skip)
        facts = json.loads((folder / "run.json").read_text())
        for part, values in changes.items():
            facts[part] |= values
        (folder / "run.json").write_text(json.dumps(facts))
        return folder

    return make
