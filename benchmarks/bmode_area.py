"""Measure `find_b_mode_area` against rectangles marked by eye, on cropped images, and in time.

Run from the root of the repository, with the real images beside it (or MYOSONO_SHARED set):

    python benchmarks/bmode_area.py

Writes ``benchmarks/results/bmode_area.csv``: comment lines with the command and the summary, then one line per image:
for marked screens the intersection over union, for cropped images the share of the frame that is kept. Two subjects of
TimTrack's set 1 (S8, S10) are not cropped to the image but have black bars at both sides; they are listed as such.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import sys
import timeit
from pathlib import Path

import numpy as np
from PIL import Image

from myosono import __version__
from myosono.imaging import Area, find_b_mode_area, natural_key, read_frame

ROOT = Path(__file__).resolve().parents[1]
MARKS = ROOT / "tests" / "imaging" / "data" / "timtrack_marks.csv"
BARRED_SUBJECTS = ("S8", "S10")
REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "bmode_area.csv")
    arguments = parser.parse_args()
    data = arguments.shared / "data"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set MYOSONO_SHARED to the folder that holds data/")
    marked = [measure_mark(data / "muscle_timtrack" / "images", row) for row in csv.DictReader(MARKS.open())]
    cropped = [measure_crop(data, file) for file in cropped_files(data)]
    summary = [
        *summarise(marked, cropped),
        f"800 x 600 screen: {time_screen(data):.1f} ms (best of {REPEATS}, median over images)",
    ]
    write(arguments.out, summary, marked + cropped)
    print("\n".join(summary))


def measure_mark(folder: Path, row: dict[str, str]) -> list[object]:
    truth = Area(*(int(row[edge]) for edge in ("top", "left", "bottom", "right")))
    found = read_frame(folder / row["file"]).area
    return ["screen", f"muscle_timtrack/{row['file']}", round(found.iou(truth), 4), *edges(found)]


def measure_crop(data: Path, file: Path) -> list[object]:
    frame = read_frame(file)
    barred = file.parent.name == "set1" and file.name.split("_")[0] in BARRED_SUBJECTS
    share = frame.area.size / frame.pixels.size
    return ["barred" if barred else "cropped", file.relative_to(data).as_posix(), round(share, 4), *edges(frame.area)]


def cropped_files(data: Path) -> list[Path]:
    samples = sorted((data / "myositis_samples").glob("sample_?.png"))
    return samples + sorted((data / "muscle_timtrack" / "images" / "set1").glob("*.png"), key=natural_key)


def time_screen(data: Path) -> float:
    """Milliseconds for 800 x 600 full-screen captures: best of several runs each, median over images."""
    bests = []
    for file in sorted((data / "muscle_timtrack" / "images" / "set2").glob("*.png")):
        pixels = np.array(Image.open(file).convert("L"))
        bests.append(min(timeit.repeat(lambda image=pixels: find_b_mode_area(image), number=1, repeat=REPEATS)))
    return 1e3 * statistics.median(bests)


def edges(area: Area) -> tuple[int, int, int, int]:
    return area.top, area.left, area.bottom, area.right


def summarise(marked: list[list[object]], cropped: list[list[object]]) -> list[str]:
    overlaps = [float(str(row[2])) for row in marked]
    lines = [f"{len(marked)} marked screens: IoU median {statistics.median(overlaps):.3f}, worst {min(overlaps):.3f}"]
    for kind, text in (("cropped", "cropped images"), ("barred", "images with black side bars")):
        kept = [float(str(row[2])) for row in cropped if row[0] == kind]
        lines.append(f"{len(kept)} {text}: share kept median {statistics.median(kept):.3f}, least {min(kept):.3f}")
    return lines


def write(path: Path, summary: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write("# python benchmarks/bmode_area.py\n")
        stream.write(f"# myosono {__version__}, Python {platform.python_version()}, NumPy {np.__version__}\n")
        stream.writelines(f"# {line}\n" for line in summary)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "file", "iou_or_share_kept", "top", "left", "bottom", "right"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
