from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(os.environ.get("MYOSONO_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real images, which are no part of the repository."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"the real images are not at {SHARED / 'data'}")
    return SHARED / "data"


@pytest.fixture(scope="session")
def speckle() -> np.ndarray:
    """Grey speckle without flat parts, uint8, (120, 160)."""
    return np.random.default_rng(3).integers(20, 235, (120, 160), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Write an image under a name and return its path."""

    def save(image: Image.Image | np.ndarray, name: str, **options: object) -> Path:
        path = tmp_path / name
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)
        return path

    return save
