"""Known images and simulated normals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from myosono.quantification import RegionModel, SiteMeasure


@pytest.fixture(scope="session")
def region_model() -> RegionModel:
    return RegionModel(threads=1)


@pytest.fixture
def band() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Rows 30 to 79 at grey 100 in an image of grey 40, and the mask of those rows."""
    image = np.full((120, 90), 40, np.uint8)
    image[30:80] = 100
    mask = np.zeros(image.shape, bool)
    mask[30:80] = True
    return image, mask


def normal_sites(
    patients: int, *, device: str = "A", seed: int = 0, sd: float = 5.0, muscle: str = "D"
) -> list[SiteMeasure]:
    """Sites of people whose echo intensity is 60 + 0.4 (age - 50) - 6 (male) + 2 (left), with noise by person."""
    rng = np.random.default_rng(seed)
    sites = []
    for number in range(patients):
        age, sex, own = rng.uniform(25, 80), "MF"[int(rng.integers(2))], rng.normal(0, sd)
        for side in "LR":
            level = 60 + 0.4 * (age - 50) - 6 * (sex == "M") + 2 * (side == "L") + own
            sites.append(SiteMeasure(f"P{number}", muscle, side, device, float(level), float(age), sex))
    return sites


@pytest.fixture
def make_normals():
    return normal_sites
