"""Sources built to the real layouts, with synthetic pixels; the real metadata where it is at hand."""

from __future__ import annotations

import shutil
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
def manifest_folder(tmp_path: Path, make_speckle: Callable[..., NDArray[np.uint8]]) -> Path:
    """12 images of 6 patients in 2 classes, listed in ``index.csv`` with the columns of the real sets."""
    root = tmp_path / "set"
    rows = []
    for number in range(12):
        patient, label = number // 2, ("benign", "malignant")[number // 2 % 2]
        file = root / "images" / label / f"{label}_{number:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_speckle(number)).save(file)
        rows.append((f"images/{label}/{file.name}", label, str(patient)))
    pd.DataFrame(rows, columns=["file", "label", "patient_id"]).to_csv(root / "index.csv", index=False)
    return root


@pytest.fixture
def build(  # type: ignore[no-untyped-def]
    tmp_path: Path, make_table: Callable[..., pd.DataFrame], make_speckle: Callable[..., NDArray[np.uint8]]
):
    """A cohort of 24 patients, 3 images each, after ``change`` of its table; ``facts`` go into ``cohort.json``."""

    def _build(change=lambda table: table, pixels=make_speckle, **facts):  # type: ignore[no-untyped-def]
        from myosono.cohort import CohortInfo, write_cohort
        from myosono.hashing import sha256_file

        folder = tmp_path / "cohort"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "images").mkdir(parents=True)
        table = change(make_table(patients_per_class=6, images_per_patient=3))
        for number, row in enumerate(table.index):
            image = pixels(number)
            table.loc[row, "file"] = f"images/{number:04d}.png"
            Image.fromarray(image).save(folder / table.loc[row, "file"])
            table.loc[row, "sha256"] = sha256_file(folder / table.loc[row, "file"])
            table.loc[row, ["height", "width"]] = image.shape
        return write_cohort(folder, table, CohortInfo("planted", **facts), allow_label_conflicts=True)

    return _build
