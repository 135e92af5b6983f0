"""Simulated images only, by diagnosis and muscle, for docs/simulation.md.

PYTHONPATH=src python benchmarks/simulation_montage.py [--seed 90]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

from myosono.anatomy import DIAGNOSES, MUSCLES
from myosono.cohort.simulation import simulate_image

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "simulated_montage.png"
CELL = (206, 214)
MARGIN = (58, 22)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=90)
    parser.add_argument("--severity", type=float, default=0.7)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    muscles = list(MUSCLES)
    size = (MARGIN[0] + CELL[0] * len(muscles), MARGIN[1] + CELL[1] * len(DIAGNOSES))
    sheet = Image.new("L", size, 24)
    pen = ImageDraw.Draw(sheet)
    for column, muscle in enumerate(muscles):
        pen.text((MARGIN[0] + column * CELL[0] + 6, 5), MUSCLES[muscle], fill=230)
        for row, label in enumerate(DIAGNOSES):
            seed = arguments.seed + column * len(DIAGNOSES) + row
            picture = Image.fromarray(simulate_image(label, muscle, seed=seed, severity=arguments.severity))
            picture.thumbnail((CELL[0] - 4, CELL[1] - 4), Image.Resampling.LANCZOS)
            sheet.paste(picture, (MARGIN[0] + column * CELL[0], MARGIN[1] + row * CELL[1]))
    for row, label in enumerate(DIAGNOSES):
        pen.text((6, MARGIN[1] + row * CELL[1] + 90), label, fill=230)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.out, optimize=True)
    print(f"{arguments.out.name}: {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
