"""Make the simulated images and normals that `myosono serve --demo` shows.

Run from the root of the repository; takes some minutes, most of them for the normals:

    OMP_NUM_THREADS=1 python benchmarks/demo_images.py

Writes ``images/*.jpg``, ``manifest.json`` and ``reference.json`` (normal echo intensity of simulated normals, measured
in proposed regions) into ``src/myosono/clinic/demo/``. Everything follows from the seed. The normals are other
patients than those shown.

The patients shown are picked until each kind of answer of the shipped model occurs (right, several diagnoses, wrong,
abstained): they show what pages look like, and are no sample to judge accuracy by. ``--keep-reference`` leaves
the normals as they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from myosono.cohort.normals import fit_cohort_reference
from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.cohort.simulation.grid import Grid
from myosono.cohort.simulation.image import generator, render, site_of
from myosono.cohort.simulation.patients import Patient, draw_patient
from myosono.quantification import Quantifier
from myosono.reading import Reader, load

OUT = Path("src/myosono/clinic/demo")
SEED = 20_260
NORMALS, NORMALS_SEED = 110, 20_261
QUALITY = 75  # speckle survives it: probabilities move by less than 0.01
ALL = [f"{side}{muscle}" for muscle in ("D", "B", "FCR", "FDP", "R", "T", "G") for side in "RL"]


@dataclass(frozen=True)
class Shown:
    """A patient of the demonstration: the sites that were recorded, and the model's answer that is looked for.

    ``wanted`` is a diagnosis, ``several`` or ``abstains``.
    """

    label: str
    device: str
    sites: tuple[str, ...]
    wanted: str


SHOWN = (
    Shown("DM", "sim-cart-A", tuple(ALL), "DM"),
    Shown("IBM", "sim-cart-A", tuple(ALL), "IBM"),
    Shown("Normal", "sim-cart-A", tuple(site for site in ALL if site != "LFDP"), "Normal"),
    Shown("PM", "sim-cart-B", ("RD", "LD", "RB", "LB", "RR"), "several"),
    Shown("IBM", "sim-premium-C", ("RFDP", "LFDP"), "IBM"),
    Shown("Normal", "sim-cart-A", ("RD", "RB", "RT", "RR"), "Normal"),
    Shown("DM", "sim-cart-A", ("RD", "LD", "RB", "LT"), "DM"),
    Shown("IBM", "sim-cart-B", ("RFDP", "LFDP", "RR", "LR"), "IBM"),
    Shown("Normal", "sim-premium-C", ("LD", "LB", "LR", "LG"), "abstains"),
    Shown("PM", "sim-cart-A", ("RD", "RR", "LR", "LG"), "PM"),
    Shown("Normal", "sim-cart-A", ("RFCR", "RB", "LB", "LT"), "Normal"),
    Shown("IBM", "sim-cart-A", ("RFDP", "RFCR", "RR", "RG"), "IBM"),
    Shown("DM", "sim-premium-C", ("RD", "LB", "RT", "LR"), "DM"),
    Shown("PM", "sim-cart-B", ("RD", "LD", "RG", "LG"), "IBM"),
)
CANDIDATES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-reference", action="store_true")
    keep = parser.parse_args().keep_reference
    images = OUT / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("*.jpg"):
        old.unlink()
    reader = load(threads=1)
    patients = [_pick(number, shown, images, reader) for number, shown in enumerate(SHOWN, start=1)]
    text = json.dumps({"note": "simulated images of no real patient", "seed": SEED, "patients": patients}, indent=1)
    (OUT / "manifest.json").write_text(text + "\n", encoding="utf-8")
    if not keep:
        _fit_reference(OUT / "reference.json")


def _pick(number: int, shown: Shown, folder: Path, reader: Reader) -> dict[str, object]:
    """The first candidate with the wanted answer, or else the last."""
    name = f"SIM{number:02d}"
    for candidate in range(CANDIDATES):
        patient = draw_patient(CANDIDATES * number + candidate, shown.label, shown.device, rng=_rng(number, candidate))
        rows = _draw(patient, shown, name, folder)
        (said,) = reader.read([folder / str(row["file"]) for row in rows], patient_id=name).patients
        kind = said.label or ("several" if said.answer != "abstains" else "abstains")
        if kind == shown.wanted:
            break
    print(f"{name}: {shown.label}, candidate {candidate}, {said.answer}", flush=True)
    return {
        "id": name,
        "label": shown.label,
        "device": shown.device,
        "age": patient.age,
        "sex": patient.sex,
        "images": rows,
    }


def _rng(number: int, candidate: int) -> np.random.Generator:
    return generator(SEED, 0, CANDIDATES * number + candidate)


def _draw(patient: Patient, shown: Shown, name: str, folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for code in shown.sites:
        side, muscle = code[0], code[1:]
        file = f"{name}_{code}_1.jpg"
        picture = Image.fromarray(render(patient, side, muscle, 1, seed=SEED))
        picture.save(folder / file, quality=QUALITY, optimize=True)
        columns = site_of(patient, side, muscle, seed=SEED).columns
        rows.append({"file": file, "site": code, "mm_per_pixel": Grid.for_columns(columns, 1.0).pixel_mm})
    return rows


def _fit_reference(path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        config = SimulationConfig(patients={"Normal": NORMALS}, images_per_patient=14, seed=NORMALS_SEED, workers=1)
        cohort = simulate_cohort(config, Path(scratch) / "normals")
        fit_cohort_reference(cohort, quantifier=Quantifier(threads=1)).save(path)


if __name__ == "__main__":
    main()
