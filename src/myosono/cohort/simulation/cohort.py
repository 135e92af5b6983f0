"""The whole cohort: patients, structure and pictures to a folder that every other verb can open."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed, parallel_config  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from myosono.cohort.folder import new_cohort_folder, require_recorded
from myosono.cohort.store import Cohort, CohortInfo, write_cohort
from myosono.errors import CohortError
from myosono.hashing import sha256_bytes
from myosono.progress import progress_bar

from .config import SimulationConfig
from .image import render, site_of
from .patients import Patient, draw_patients
from .png import write_png
from .structure import Shot, draw_structure

NOTES = ("Simulated images from a physical model; nothing measured on them is clinical.",)


def simulate_cohort(
    config: SimulationConfig, out: str | Path, *, progress: bool = True, overwrite: bool = False
) -> Cohort:
    """Simulate a cohort and write it as a cohort folder.

    Parameters
    ----------
    config
        Size, seed, workers.
    out
        Folder to write.
    progress
        Show a progress bar on standard error.
    overwrite
        Replace a cohort that is already there.

    Returns
    -------
    Cohort
        The cohort written, with ``simulated`` true in ``cohort.json``.

    Raises
    ------
    CohortError
        If ``out`` holds something else, or a cohort and ``overwrite`` is false, or it cannot be written.
    """
    try:
        with new_cohort_folder(out, overwrite=overwrite) as folder:
            rows = list(_render_all(config, folder, progress=progress))
            require_recorded(folder, write_cohort(folder, pd.DataFrame(rows), _info(config)).table)
    except OSError as error:
        raise CohortError(f"cannot be written: {error.strerror or error}", path=out) from error
    return Cohort.open(out)


def _render_all(config: SimulationConfig, folder: Path, *, progress: bool) -> Iterator[dict[str, Any]]:
    patients = {patient.number: patient for patient in draw_patients(config)}
    shots = draw_structure(config)
    sites = [list(group) for _, group in groupby(shots, key=lambda shot: (shot.patient, shot.side))]
    work = [(config, patients[group[0].patient], group, folder) for group in sites]
    with progress_bar(disable=not progress) as bar:
        task = bar.add_task("simulate", total=len(shots))
        for rows in _in_order(work, config.workers):
            bar.advance(task, len(rows))
            yield from rows


def _in_order(work: list[tuple[SimulationConfig, Patient, list[Shot], Path]], workers: int) -> Iterator[list[Any]]:
    if workers == 1:
        yield from (_render_shots(*item) for item in work)
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=workers, return_as="generator")(delayed(_render_shots)(*item) for item in work)


def _render_shots(config: SimulationConfig, patient: Patient, shots: list[Shot], folder: Path) -> list[dict[str, Any]]:
    # One thread per process: more would fight for the cores, and could change the order of sums.
    with threadpool_limits(limits=1):
        return [_render_shot(config, patient, shot, folder) for shot in shots]


def _render_shot(config: SimulationConfig, patient: Patient, shot: Shot, folder: Path) -> dict[str, Any]:
    picture = render(patient, shot.side, shot.muscle, shot.number, seed=config.seed, scale=config.scale)
    file = f"images/{shot.image_id}.png"
    data = write_png(folder / file, picture)
    return {
        "image_id": shot.image_id,
        "file": file,
        "patient_id": patient.patient_id,
        "exam_id": f"{patient.patient_id}_E1",
        "muscle": shot.muscle,
        "side": shot.side,
        "label": patient.label,
        "device": patient.device,
        "width": picture.shape[1],
        "height": picture.shape[0],
        "sha256": sha256_bytes(data),
        "age": float(patient.age),
        "sex": patient.sex,
        "strength": site_of(patient, shot.side, shot.muscle, seed=config.seed).strength,
        "cpk": patient.cpk,
        "duration_months": patient.duration_months,
    }


def _info(config: SimulationConfig) -> CohortInfo:
    return CohortInfo(
        name="simulated",
        source=f"myosono.cohort.simulation, {config.model_dump_json(exclude={'workers'})}",
        licence="Apache-2.0",
        simulated=True,
        notes=NOTES,
        patients_from="source",
    )
