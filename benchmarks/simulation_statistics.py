"""Speckle and grey statistics of simulated images beside real ones.

    PYTHONPATH=src python benchmarks/simulation_statistics.py [--images 120] [--cohort FOLDER]

Real images are read from ../shared/data (or MYOSONO_SHARED) and never written. The method is the same for all
images. Of the B-mode area found by `myosono.imaging` the outer tenth is left out. Patches of 24x24 pixels lie on a
grid; those with clipped or nearly black pixels are left out, and so are images of which more than a fifth is flat
(the screen around the B-mode area). The most homogeneous quarter of the patches is kept: lowest ratio of the standard
deviation of 8x8 block means to that of all pixels. A patch's grey is turned back to an envelope with 60 dB over 255
levels, whatever the machine used (machines rarely say), so the SNR compares images and is no absolute. Widths are the
full width of the patch's autocorrelation at one half, in pixels.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from myosono.cohort.simulation import DEVICES, simulate_image
from myosono.errors import ImageError
from myosono.imaging import read_frame

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")) / "data"
OUT = ROOT / "benchmarks" / "results" / "simulation_statistics.csv"
SOURCES = {
    "myositis_samples": "sample_?.png",
    "muscle_timtrack": "images/**/*.png",
    "muscle_dltrack": "images/*.png",
}
PATCH = 24
DB_PER_GREY = 60 / 255


def statistics(grey: np.ndarray) -> dict[str, float] | None:
    """Statistics of one B-mode area; None where no patch is fit."""
    rows, columns = grey.shape
    inner = grey[rows // 10 : rows - rows // 10, columns // 10 : columns - columns // 10].astype(np.float64)
    if min(inner.shape) < 4 * PATCH:
        return None
    tiles = [
        inner[top : top + PATCH, left : left + PATCH]
        for top in range(0, inner.shape[0] - PATCH, PATCH)
        for left in range(0, inner.shape[1] - PATCH, PATCH)
    ]
    flat = [np.mean(np.diff(tile, axis=1) == 0) > 0.5 for tile in tiles]
    if np.mean(flat) > 0.2:
        return None  # panels of a screen are still in view
    tiles = [
        t for t, dead in zip(tiles, flat, strict=True) if not dead and t.min() > 2 and t.max() < 250 and t.mean() > 20
    ]
    if len(tiles) < 8:
        return None
    tiles.sort(key=lambda tile: tile.reshape(3, 8, 3, 8).mean((1, 3)).std() / (tile.std() + 1e-9))
    tiles = tiles[: max(len(tiles) // 4, 4)]
    envelopes = [10 ** (tile * DB_PER_GREY / 20) for tile in tiles]
    p5, p25, p50, p75, p95 = np.percentile(inner, [5, 25, 50, 75, 95])
    return {
        "envelope_snr": float(np.median([e.mean() / e.std() for e in envelopes])),
        "axial_width_px": float(np.median([width(tile, 0) for tile in tiles])),
        "lateral_width_px": float(np.median([width(tile, 1) for tile in tiles])),
        "grey_p5": p5,
        "grey_p25": p25,
        "grey_p50": p50,
        "grey_p75": p75,
        "grey_p95": p95,
        "local_std": float(np.median([tile.std() for tile in tiles])),
    }


def width(tile: np.ndarray, axis: int) -> float:
    """Full width at half maximum of the autocorrelation along ``axis``, in pixels."""
    lines = np.moveaxis(tile - tile.mean(), axis, 0)
    size = len(lines)
    # Divided by the number of pairs: a short patch would otherwise look narrower than it is.
    curve = np.array([np.mean(lines[: size - lag] * lines[lag:]) for lag in range(size // 2)])
    curve /= curve[0]
    below = np.flatnonzero(curve < 0.5)
    if not len(below):
        return float(size)
    last = below[0] - 1
    return 2 * float(last + (curve[last] - 0.5) / (curve[last] - curve[last + 1]))


def real_areas(limit: int) -> Iterator[tuple[str, np.ndarray]]:
    for source, pattern in SOURCES.items():
        files = sorted((SHARED / source).glob(pattern))
        for file in files[:: max(len(files) // limit, 1)]:
            try:
                yield source, np.asarray(read_frame(file).b_mode)
            except ImageError as error:
                print(f"left out: {error}")


def simulated_areas(count: int, cohort: Path | None) -> Iterator[tuple[str, np.ndarray]]:
    if cohort is not None:
        files = sorted((cohort / "images").glob("*.png"))
        for file in files[:: max(len(files) // count, 1)]:
            yield "simulated", np.asarray(read_frame(file).pixels)
        return
    labels, muscles, devices = ("Normal", "IBM", "PM", "DM"), ("D", "B", "FCR", "FDP", "R", "T", "G"), list(DEVICES)
    for seed in range(count):
        label, muscle = labels[seed % 4], muscles[seed % 7]
        yield "simulated", simulate_image(label, muscle, device=devices[seed % 3], seed=seed)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a statistic: medians per source, the real range (5th to 95th percentile), and whether it holds."""
    names = [name for name in rows.columns if name != "source"]
    real = rows[rows.source != "simulated"]
    medians = rows.groupby("source")[names].median().T
    table = medians[[*SOURCES, "simulated"]].copy() if set(SOURCES) <= set(medians) else medians
    table["real_low"] = real[names].quantile(0.05)
    table["real_high"] = real[names].quantile(0.95)
    table["within_real_range"] = table.simulated.between(table.real_low, table.real_high)
    inside = rows[rows.source == "simulated"][names]
    table["simulated_images_within"] = ((inside >= table.real_low) & (inside <= table.real_high)).mean()
    table.index.name = "statistic"
    return table.round(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=120, help="images per source")
    parser.add_argument("--cohort", type=Path, help="a simulated cohort; otherwise images are simulated here")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"no real images at {SHARED}: set MYOSONO_SHARED")
    areas = [*real_areas(arguments.images), *simulated_areas(arguments.images, arguments.cohort)]
    rows = [{"source": source, **found} for source, grey in areas if (found := statistics(grey)) is not None]
    frame = pd.DataFrame(rows)
    print(frame.groupby("source").size().to_string())
    table = summarise(frame)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out, lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
