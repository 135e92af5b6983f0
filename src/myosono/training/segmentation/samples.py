"""Images with known muscle borders: real ones with hand-drawn aponeuroses, simulated ones with the truth."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from myosono.cohort.simulation.config import SimulationConfig
from myosono.cohort.simulation.image import render, true_borders
from myosono.cohort.simulation.patients import draw_patients
from myosono.errors import CohortError
from myosono.imaging import read_frame
from myosono.progress import track
from myosono.training.segmentation.targets import muscle_borders

SIMULATED_MUSCLES = ("D", "B", "FCR", "R", "T", "G")
"""Without FDP, which lies below another muscle: the network marks the most superficial one."""

_SIMULATED_SCALE = 0.6


@dataclass(frozen=True)
class Sample:
    """One image and its muscle.

    Attributes
    ----------
    name
        File name, or the name of the simulated shot.
    layout
        Kind of screen, by which a split is stratified and results are listed.
    image
        uint8 ``(height, width)``, the B-mode area.
    borders
        Float32 ``(2, width)``: first row of muscle and first row below it, NaN where not known.
    """

    name: str
    layout: str
    image: NDArray[np.uint8]
    borders: NDArray[np.float32]


def read_aponeurosis_folder(folder: str | Path, *, quiet: bool = False) -> list[Sample]:
    """Read a folder of images with aponeurosis masks.

    Parameters
    ----------
    folder
        Holds ``index.csv`` with the columns ``file`` and ``mask`` (paths within the folder) and, if known,
        ``original_width`` and ``original_height``, which tell the kind of screen.
    quiet
        Without a progress bar.

    Returns
    -------
    list of Sample
        Images on which fewer than two aponeuroses are drawn are left out: between them lies the muscle.

    Raises
    ------
    CohortError
        No index, a missing column, a mask of another size than its image, or no image that can be used.
    """
    root = Path(folder)
    index = root / "index.csv"
    if not index.is_file():
        raise CohortError("index.csv is missing", path=root, remedy="It lists file and mask, one line an image")
    with index.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"file", "mask"} <= set(rows[0]):
        raise CohortError("needs the columns 'file' and 'mask' and at least one line", path=index)
    found = [_read(root, row) for row in track(rows, "reading masks", disable=quiet)]
    samples = [sample for sample in found if sample is not None]
    if not samples:
        raise CohortError("no mask shows two aponeuroses", path=root)
    return samples


def simulate_samples(count: int, *, seed: int = 0, quiet: bool = False) -> list[Sample]:
    """Simulated images of ``count`` patients, one each, over six muscles and all diagnoses.

    They bring what healthy longitudinal images lack: thick fat, transverse views, bright and attenuating muscle.
    """
    per_label = -(-count // 4)
    config = SimulationConfig(patients=dict.fromkeys(("Normal", "IBM", "PM", "DM"), per_label), seed=seed)
    samples = []
    for number, patient in enumerate(track(draw_patients(config)[:count], "simulating", disable=quiet)):
        muscle = SIMULATED_MUSCLES[number % len(SIMULATED_MUSCLES)]
        side = "LR"[number // len(SIMULATED_MUSCLES) % 2]
        image = render(patient, side, muscle, 1, seed=seed, scale=_SIMULATED_SCALE)
        borders = true_borders(patient, side, muscle, 1, seed=seed, scale=_SIMULATED_SCALE)
        samples.append(Sample(f"{patient.patient_id}_{side}{muscle}", "simulated", image, borders))
    return samples


def _read(root: Path, row: dict[str, str]) -> Sample | None:
    frame = read_frame(root / row["file"])
    with Image.open(root / row["mask"]) as stored:
        mask = np.asarray(stored.convert("L"))
    if mask.shape != frame.pixels.shape:
        raise CohortError(f"mask of {mask.shape} pixels for an image of {frame.pixels.shape}", path=root / row["mask"])
    area = frame.area
    borders = muscle_borders(mask[area.top : area.bottom, area.left : area.right])
    if borders is None:
        return None
    layout = f"{row['original_width']}x{row['original_height']}" if row.get("original_width") else "unknown"
    return Sample(Path(row["file"]).name, layout, np.ascontiguousarray(frame.b_mode), borders)
