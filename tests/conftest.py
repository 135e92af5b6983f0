"""What many tests need: the shared real data (or a reason to skip), a tiny simulated cohort and run, built sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets beside the checkout; none of it is in the repository."""
    folder = Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not present at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory):
    """16 simulated patients, 3 images each."""
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig.small(16, images_per_patient=3, scale=0.25, seed=1)
    return simulate_cohort(config, tmp_path_factory.mktemp("tiny") / "cohort", progress=False)


@pytest.fixture(scope="session")
def tiny_recipe():
    """Seconds, not minutes."""
    from myosono.training import Recipe

    return Recipe(model="stanet_xs", size=64, epochs=2, folds=2, batch_size=8, validation_fraction=0.4)


@pytest.fixture(scope="session")
def tiny_run(tiny_cohort, tiny_recipe, tmp_path_factory: pytest.TempPathFactory):
    """A finished run on the tiny cohort: ``(run, evaluation)``."""
    from myosono.training import train

    return train(tiny_cohort, tiny_recipe, tmp_path_factory.mktemp("tiny") / "run", command="test", quiet=True)


@pytest.fixture(scope="session")
def tiny_model(tiny_run, tiny_cohort, tmp_path_factory: pytest.TempPathFactory):
    """The tiny run's first fold as an artefact."""
    from myosono.export import export_run

    run, _ = tiny_run
    return export_run(run, tiny_cohort, tmp_path_factory.mktemp("tiny") / "model.onnx", fold=0, gate=False, quiet=True)


def speckle(seed: int, height: int = 80, width: int = 60) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    depth = np.linspace(1.0, 0.4, height)[:, None]
    smooth = rng.normal(size=(height // 10 + 1, width // 10 + 1)).repeat(10, 0).repeat(10, 1)[:height, :width]
    return np.clip((110 + 40 * smooth + 20 * rng.normal(size=(height, width))) * depth, 5, 250).astype(np.uint8)


@pytest.fixture
def make_speckle() -> Callable[..., NDArray[np.uint8]]:
    return speckle


def asymmetric_screen(seed: int, width: int = 50, margin: int = 20) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An upright screen of 600 rows, and the B-mode area within it: no flip or rotation maps it to itself."""
    area = speckle(seed, 498, width)
    area[:40, : width // 2] = 240
    area[-60:, -10:] = 60
    screen = np.zeros((600, width + 2 * margin), dtype=np.uint8)
    screen[61:559, margin : margin + width] = area
    screen[300:304, 4:9] = 255  # a ruler tick in the black margin
    screen[20:40, 10:40] = 200  # the scanner's heading above the area
    return screen, area


def write_patient_data(path: Path, chart: Path | pd.DataFrame, screens: Sequence[NDArray[np.uint8]]) -> Path:
    """Write ``PatientData.mat`` in the layout of the release: MATLAB v7.3, images as cells of references.

    ``chart`` is the real ``im_muscle_chart.mat`` (its table object is kept byte for byte) or a table of the same
    columns. Row i shows ``screens[i % len(screens)]``.
    """
    import h5py
    import matio

    if isinstance(chart, Path):
        path.write_bytes(chart.read_bytes())
    else:
        matio.save_to_mat(str(path), {"im_muscle_chart": chart.astype("category")})
    with h5py.File(path, "r+") as store:
        rows = 2752 if isinstance(chart, Path) else len(chart)
        for variable, pixels in (("im", screens), ("imSeg", [(screen > 100).astype(np.uint8) for screen in screens])):
            references = [_write_image(store, f"#refs#/{variable}_{i}", image) for i, image in enumerate(pixels)]
            cells = np.array([references[i % len(references)] for i in range(rows)], dtype=h5py.ref_dtype)
            dataset = store.create_dataset(variable, data=cells.reshape(1, rows), dtype=h5py.ref_dtype)
            dataset.attrs["MATLAB_class"] = np.bytes_("cell")
    return path


def _write_image(store, name: str, upright: NDArray[np.uint8]):  # type: ignore[no-untyped-def]
    # MATLAB writes columns first: the dataset is the transpose of what the sonographer saw.
    dataset = store.create_dataset(name, data=np.ascontiguousarray(upright.T))
    dataset.attrs["MATLAB_class"] = np.bytes_("uint8")
    return dataset.ref


@pytest.fixture
def make_patient_data() -> Callable[..., Path]:
    return write_patient_data


@pytest.fixture
def make_screen() -> Callable[..., tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    return asymmetric_screen
