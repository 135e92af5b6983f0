"""Make the simulated images and normals that `myosono serve --demo` shows.

Run from the root of the repository; takes some minutes, most of them for the normals:

    OMP_NUM_THREADS=1 python benchmarks/demo_images.py

Writes ``images/*.jpg``, ``manifest.json`` and ``reference.json`` (normal echo intensity of simulated normals, measured
in proposed regions) into ``src/myosono/clinic/demo/``. Everything follows from the seed. The normals are other
patients than those shown.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from myosono.cohort.normals import fit_cohort_reference
from myosono.cohort.simulation import SimulationConfig, simulate_cohort
from myosono.cohort.simulation.grid import Grid
from myosono.cohort.simulation.image import generator, render, site_of
from myosono.cohort.simulation.patients import draw_patient
from myosono.quantification import Quantifier

OUT = Path("src/myosono/clinic/demo")
SEED = 20_260
NORMALS, NORMALS_SEED = 110, 20_261
QUALITY = 75  # speckle survives it: probabilities move by less than 0.01
ALL = [f"{side}{muscle}" for muscle in ("D", "B", "FCR", "FDP", "R", "T", "G") for side in "RL"]


@dataclass(frozen=True)
class Shown:
    """A patient of the demonstration and the sites that were recorded."""

    label: str
    device: str
    sites: tuple[str, ...]
    shots: int = 1


SHOWN = (
    Shown("DM", "sim-cart-A", tuple(ALL)),
    Shown("IBM", "sim-cart-A", tuple(ALL)),
    Shown("Normal", "sim-cart-A", tuple(site for site in ALL if site != "LFDP")),
    Shown("PM", "sim-cart-B", ("RD", "LD", "RB", "LB", "RR")),
    Shown("IBM", "sim-premium-C", ("RFDP", "LFDP")),
    Shown("Normal", "sim-cart-A", ("RD", "RB", "RT", "RR")),
    Shown("DM", "sim-cart-A", ("RD", "LD", "RB", "LT")),
    Shown("IBM", "sim-cart-B", ("RFDP", "LFDP", "RR", "LR")),
    Shown("Normal", "sim-premium-C", ("LD", "LB", "LR", "LG")),
    Shown("PM", "sim-cart-A", ("RD", "RR", "LR", "LG")),
    Shown("Normal", "sim-cart-A", ("RFCR", "RB", "LB", "LT")),
    Shown("IBM", "sim-cart-A", ("RFDP", "RFCR", "RR", "RG")),
    Shown("DM", "sim-premium-C", ("RD", "LB", "RT", "LR")),
    Shown("Normal", "sim-cart-B", ("RD", "LD", "RG", "LG")),
)


def main() -> None:
    images = OUT / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("*.jpg"):
        old.unlink()
    patients = [_draw(number, shown, images) for number, shown in enumerate(SHOWN, start=1)]
    text = json.dumps({"note": "simulated images of no real patient", "seed": SEED, "patients": patients}, indent=1)
    (OUT / "manifest.json").write_text(text + "\n", encoding="utf-8")
    _fit_reference(OUT / "reference.json")


def _draw(number: int, shown: Shown, folder: Path) -> dict[str, object]:
    patient = draw_patient(number, shown.label, shown.device, rng=generator(SEED, 0, number))
    rows = []
    for code in shown.sites:
        side, muscle = code[0], code[1:]
        for shot in range(1, shown.shots + 1):
            name = f"SIM{number:02d}_{code}_{shot}.jpg"
            picture = Image.fromarray(render(patient, side, muscle, shot, seed=SEED))
            picture.save(folder / name, quality=QUALITY, optimize=True)
            columns = site_of(patient, side, muscle, seed=SEED).columns
            rows.append({"file": name, "site": code, "mm_per_pixel": Grid.for_columns(columns, 1.0).pixel_mm})
    return {
        "id": f"SIM{number:02d}",
        "label": shown.label,
        "device": shown.device,
        "age": patient.age,
        "sex": patient.sex,
        "images": rows,
    }


def _fit_reference(path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        config = SimulationConfig(patients={"Normal": NORMALS}, images_per_patient=14, seed=NORMALS_SEED, workers=1)
        cohort = simulate_cohort(config, Path(scratch) / "normals")
        fit_cohort_reference(cohort, quantifier=Quantifier(threads=1)).save(path)


if __name__ == "__main__":
    main()
