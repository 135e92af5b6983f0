from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def real_data(shared_data: Path) -> Path:
    """The folder with the real images, which are no part of the repository."""
    return shared_data


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
