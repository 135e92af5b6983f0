"""Sources built to the real layouts, with synthetic pixels; the real metadata where it is at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

LABELS = ("Normal", "IBM", "PM", "DM")


@pytest.fixture(scope="session")
def shared(shared_data: Path) -> Path:
    """The folder of real data, which is never part of the repository."""
    return shared_data


@pytest.fixture(scope="session")
def meta(shared: Path) -> Path:
    return shared / "myositis_meta"


@pytest.fixture(scope="session")
def real_metadata(meta: Path):  # type: ignore[no-untyped-def]
    """Table, source and reader of the real metadata; MATLAB tables take seconds to open, so once a session."""
    from myosono.cohort.importing import read_metadata

    return read_metadata(meta)


def build_table(
    patients_per_class: int = 6, images_per_patient: int = 4, labels: Sequence[str] = LABELS
) -> pd.DataFrame:
    rows = []
    for label in labels:
        for patient in range(patients_per_class):
            for shot in range(images_per_patient):
                name = f"{label}{patient}"
                rows.append((f"{name}-{shot}", name, label, "DBRG"[shot % 4], "LR"[shot % 2]))
    table = pd.DataFrame(rows, columns=["image_id", "patient_id", "label", "muscle", "side"])
    return table.assign(file="", exam_id=table["patient_id"], device="", width=0, height=0, sha256="")


@pytest.fixture
def make_table() -> Callable[..., pd.DataFrame]:
    return build_table


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


@pytest.fixture
def small_chart() -> pd.DataFrame:
    sites = ["RD", "RD", "RB_L", "LFDP"]
    rows = [
        (patient, f"2015092213{patient[1:]}{shot:02d}", site, diagnosis)
        for patient, diagnosis in (("M001", "D"), ("M002", "P"), ("N003", "N"), ("N003a", "N"), ("M004", "I"))
        for shot, site in enumerate(sites)
    ]
    return pd.DataFrame(rows, columns=["PatientID", "Image2D", "Muscle", "Diagnosis"])


@pytest.fixture
def manifest_folder(tmp_path: Path) -> Path:
    """12 images of 6 patients in 2 classes, listed in ``index.csv`` with the columns of the real sets."""
    root = tmp_path / "set"
    rows = []
    for number in range(12):
        patient, label = number // 2, ("benign", "malignant")[number // 2 % 2]
        file = root / "images" / label / f"{label}_{number:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(speckle(number)).save(file)
        rows.append((f"images/{label}/{file.name}", label, str(patient)))
    pd.DataFrame(rows, columns=["file", "label", "patient_id"]).to_csv(root / "index.csv", index=False)
    return root
